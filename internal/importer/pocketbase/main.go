// Command pocketbase makes the database that PocketBase makes, with a user in it, as a test needs it: into the folder
// that it is given, of the e-mail address and the password that follow.
package main

import (
	"errors"
	"log"
	"os"

	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // the tables
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: pocketbase DIR EMAIL PASSWORD")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(dir, email, password string) (err error) {
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: dir})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.ResetBootstrapState()) }() // closes the database
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	users, err := app.FindCollectionByNameOrId("users")
	if err != nil {
		return err
	}
	user := core.NewRecord(users)
	user.SetEmail(email)
	user.SetPassword(password)
	return app.Save(user)
}
