package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/server"
)

// A prover of a game's own, which knows the tickets that its launcher gives out. A client shows one, gets a proof, and
// logs in with it; the first time an account is made.
func ExampleConfig_provers() {
	tickets := map[string]server.ProvenIdentity{"s3cr3t": {Subject: "4711", Name: "Ada"}}
	launcher := func(_ context.Context, shown []byte) (server.ProvenIdentity, error) {
		who, ok := tickets[string(shown)]
		if !ok {
			return who, rushgate.BadCredentials
		}
		return who, nil
	}
	folder, err := os.MkdirTemp("", "rushgate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	node, err := server.Start(context.Background(), server.Config{
		Provers: map[string]server.Prover{"launcher": launcher},
		Backend: server.Memory, DataDir: folder,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: server.NoUDP,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()

	// post returns what the node answers.
	post := func(path, body string) (status int, answer map[string]any) {
		resp, err := http.Post("http://"+node.HTTPAddr().String()+path, "application/json", strings.NewReader(body))
		if err != nil {
			fmt.Println(err)
			return 0, nil
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			fmt.Println(err)
		}
		return resp.StatusCode, answer
	}
	_, refused := post("/v1/identities/launcher/native", `{"shown":"guessed"}`)
	fmt.Println(refused["reason"])
	_, proved := post("/v1/identities/launcher/native", `{"shown":"s3cr3t"}`)
	status, session := post("/v1/identities/login", fmt.Sprintf(`{"proof":%q}`, proved["proof"]))
	fmt.Println(status, "player", session["player_id"])
	// Output:
	// bad-credentials
	// 200 player 1
}
