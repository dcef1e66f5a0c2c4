package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/porttest"
)

// otherProgram is a program whose players are brought in from what it has written.
type otherProgram struct {
	system string
	kept   string                                // what a version of it has written, in testdata/import; see the README there
	needs  string                                // the program; empty if it is built
	write  func(t *testing.T, dir string) string // nil if that takes a player who types
	in     map[string]string                     // names and passwords
	locked []string
}

const openSesame = "open sesame"

func otherPrograms() []otherProgram {
	return []otherProgram{
		{"minetest", "minetest.sqlite", "minetestserver", func(t *testing.T, dir string) string {
			return minetestWorld(t, dir, "sqlite3", "auth.sqlite", "Alice", "Mina", "Mila")
		}, map[string]string{"Alice": openSesame, "Mina": openSesame}, []string{"Mila"}},
		{"luanti", "minetest.txt", "minetestserver", func(t *testing.T, dir string) string {
			return minetestWorld(t, dir, "files", "auth.txt", "Carol", "Tina", "Tila")
		}, map[string]string{"Carol": minetestVector("Carol").Password, "Tina": openSesame}, []string{"Tila"}},
		{"mumble", "mumble.sqlite", "murmurd", mumbleDatabase, map[string]string{"SuperUser": openSesame}, nil},
		{"prosody", "prosody", "prosodyctl", func(t *testing.T, dir string) string {
			return prosodyFolder(t, dir, "internal_hashed", "pia.b")
		}, map[string]string{"pia.b": openSesame}, nil},
		{"prosody", "prosody-plain", "prosodyctl", func(t *testing.T, dir string) string {
			return prosodyFolder(t, dir, "internal_plain", "paul.b")
		}, map[string]string{"paul.b": openSesame}, nil},
		{"ejabberd", "ejabberd.dump", "ejabberdctl", ejabberdDump,
			map[string]string{"edda": openSesame, "erik": "pässwörd", "emil": "\u2168 \u00aa"}, nil},
		{"tinymux", "tinymux.flat", "", nil, map[string]string{"Bob": "secret9", "Wizard": "potrzebie"}, nil},
		{"pocketbase", "pocketbase.db", "", pocketBase, map[string]string{"paula@example.test": openSesame}, nil},
	}
}

// minetestVector returns a record that a client of Minetest 5.6.1 has made.
func minetestVector(name string) scheme.Vector {
	for _, f := range scheme.Builtin().Families() {
		for _, v := range f.Vectors {
			if v.System == "minetest" && v.Username == name {
				return v
			}
		}
	}
	panic("no vector of " + name)
}

// Players of other programs log in with their passwords after what those have written was brought in, by no other
// password, and what was brought in is as it was. With RUSHGATE_LONG=1 the programs write it now; those that are not
// installed are left out, unless RUSHGATE_REQUIRE_OTHERS=1 says that they are to be. With RUSHGATE_UPDATE=1 what they
// write becomes that of testdata.
func TestPlayersOfOtherPrograms(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	in, locked := map[string]string{}, []string(nil)
	for i, p := range otherPrograms() {
		t.Run(p.kept, func(t *testing.T) {
			file := p.written(t)
			before := everything(t, filepath.Dir(file))
			all := fmt.Sprintf("%d accounts", len(p.in)+len(p.locked))
			args := []string{"--system", p.system, "--file", file, "--data", data}
			if i == 0 {
				runImportRecords(t, append(args, "--dry-run")...).want(t, 0, "would do  "+all, "")
			}
			runImportRecords(t, args...).want(t, 0, "imported  "+all, "")
			if i == 0 {
				runImportRecords(t, args...).want(t, 0, "present   "+all, "")
			}
			if after := everything(t, filepath.Dir(file)); after != before {
				t.Errorf("something was written where the records are: %s, before %s", after, before)
			}
			maps.Copy(in, p.in)
			locked = append(locked, p.locked...)
		})
	}
	s := startOnImported(t, data)
	client := 0
	for name, password := range in {
		client++
		if slow := strings.Contains(name, "@"); !slow || writtenNow() {
			if got := login(t, s, client, name, "x"+password); got != 401 {
				t.Errorf("%s: a wrong password is answered %d", name, got)
			}
		}
		if got := login(t, s, client, name, password); got != 200 {
			t.Errorf("%s: the right password is answered %d", name, got)
		}
	}
	for _, name := range locked {
		if got := login(t, s, client, name, openSesame); got != 401 {
			t.Errorf("%s is answered %d", name, got)
		}
	}
}

// writtenNow tells whether the programs are run.
func writtenNow() bool { return os.Getenv("RUSHGATE_LONG") != "" }

// written returns what the program has written: now, or at some time.
func (p *otherProgram) written(t *testing.T) string {
	if !writtenNow() || p.write == nil {
		return filepath.Join("testdata", "import", p.kept)
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/usr/games")
	if p.needs != "" {
		if _, err := exec.LookPath(p.needs); err != nil {
			if os.Getenv("RUSHGATE_REQUIRE_OTHERS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir, err := os.MkdirTemp("", "other") // of a short path that other users can reach
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := p.write(t, dir)
	if os.Getenv("RUSHGATE_UPDATE") != "" {
		p.keep(t, path)
	}
	return path
}

// keep makes what was written that of testdata.
func (p *otherProgram) keep(t *testing.T, path string) {
	t.Helper()
	to := filepath.Join("testdata", "import", p.kept)
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		if err := errors.Join(err, os.CopyFS(to, os.DirFS(path))); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err := errors.Join(err, os.WriteFile(to, b, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// everything tells the names, sizes and times of all files in a folder.
func everything(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			all = append(all, fmt.Sprint(path, info.Size(), info.ModTime()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// do runs a program to its end.
func do(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// minetestWorld has a server write the accounts of a world: one that a client has made, one of its own, and one of no
// password.
func minetestWorld(t *testing.T, dir, backend, file, byClient, own, cleared string) string {
	writeFile(t, filepath.Join(dir, ".minetest", "games", "nogame", "game.conf"), "title = No game\n")
	if err := os.MkdirAll(filepath.Join(dir, ".minetest", "games", "nogame", "mods"), 0o755); err != nil {
		t.Fatal(err)
	}
	world := filepath.Join(dir, "world")
	writeFile(t, filepath.Join(world, "world.mt"),
		"gameid = nogame\nbackend = dummy\nplayer_backend = sqlite3\nauth_backend = "+backend+"\n")
	writeFile(t, filepath.Join(world, "worldmods", "accounts", "init.lua"), fmt.Sprintf(`minetest.after(0, function()
		minetest.set_player_password(%[1]q, minetest.get_password_hash(%[1]q, %[2]q))
		minetest.get_auth_handler().create_auth(%[3]q, %[4]q)
		minetest.get_auth_handler().create_auth(%[5]q, "")
		minetest.request_shutdown()
	end)`, own, openSesame, byClient, minetestVector(byClient).Stored["auth.password"], cleared))
	do(t, []string{"HOME=" + dir}, "minetestserver", "--world", world, "--gameid", "nogame", "--port", strconv.Itoa(porttest.Take(t)), "--logfile", "")
	return filepath.Join(world, file)
}

func mumbleDatabase(t *testing.T, dir string) string {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mumble.sqlite")
	writeFile(t, filepath.Join(dir, "murmur.ini"), "database="+path+"\nkdfiterations=1000\nuname="+me.Username+"\n")
	do(t, nil, "murmurd", "-ini", filepath.Join(dir, "murmur.ini"), "-supw", openSesame)
	return path
}

func prosodyFolder(t *testing.T, dir, authentication, name string) string {
	writeFile(t, filepath.Join(dir, "prosody.cfg.lua"), fmt.Sprintf("data_path = %q\npidfile = %q\nstorage = \"internal\"\n"+
		"authentication = %q\nmodules_enabled = {}\nVirtualHost \"example.test\"\n",
		filepath.Join(dir, "data"), filepath.Join(dir, "pid"), authentication))
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, nil, "prosodyctl", "--root", "--config", filepath.Join(dir, "prosody.cfg.lua"), "register", name, "example.test", openSesame)
	return filepath.Join(dir, "data", "example%2etest", "accounts")
}

// ejabberdDump has ejabberd dump its tables. Debian's runs as a user of its own if it is root who starts it.
func ejabberdDump(t *testing.T, dir string) string {
	writeFile(t, filepath.Join(dir, "conf", "ejabberd.yml"), `hosts: ["hashed.test", "plain.test"]
auth_method: [mnesia]
listen: []
modules: {}
host_config:
  "hashed.test":
    auth_password_format: scram
  "plain.test":
    auth_password_format: plain
`)
	// Without epmd, which would go on running.
	writeFile(t, filepath.Join(dir, "conf", "ejabberdctl.cfg"), "INET_DIST_INTERFACE=127.0.0.1\nERL_DIST_PORT="+strconv.Itoa(porttest.Take(t))+"\n")
	for _, name := range []string{"spool", "logs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		do(t, nil, "chown", "-R", "ejabberd:ejabberd", dir)
	}
	ctl := func(args ...string) {
		do(t, nil, "ejabberdctl", append([]string{"-n", fmt.Sprintf("others%d@localhost", os.Getpid()), "-s", filepath.Join(dir, "spool"),
			"-l", filepath.Join(dir, "logs"), "-d", filepath.Join(dir, "conf")}, args...)...)
	}
	ctl("start")
	defer func() { ctl("stop"); ctl("stopped") }()
	ctl("started")
	ctl("register", "edda", "hashed.test", openSesame)
	ctl("register", "erik", "plain.test", "pässwörd")
	ctl("register", "emil", "plain.test", "\u2168 \u00aa")
	ctl("dump", filepath.Join(dir, "dump.txt"))
	return filepath.Join(dir, "dump.txt")
}

func pocketBase(t *testing.T, dir string) string {
	program := filepath.Join(t.TempDir(), "pocketbase")
	do(t, []string{"CGO_ENABLED=0"}, "go", "build", "-C", "../../internal/importer/pocketbase", "-o", program, ".")
	data := filepath.Join(dir, "data")
	do(t, nil, program, data, "paula@example.test", openSesame)
	return filepath.Join(data, "data.db")
}
