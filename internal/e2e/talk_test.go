package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/parrot"
)

// talking is a page of a game's own: it registers and talks, over the channel of the browser client.
const talking = `
	import { Channel } from "./channel.ts";
	import { Talk } from "./talk.ts";
	globalThis.heard = [];
	const text = new TextDecoder();
	const talk = new Talk({
		onMessage: (data, reliable) => heard.push((reliable ? "" : "~") + text.decode(data)),
		onLost: () => heard.push("lost"),
	});
	globalThis.say = (words, reliable) => talk.say(new TextEncoder().encode(words), reliable);
	globalThis.enter = async () => {
		const body = JSON.stringify({ username: "page", password: "correct horse battery" });
		const answer = await fetch("../v1/register", { method: "POST", body });
		const { session_token: token } = await answer.json();
		return new Promise((resolve) => {
			const events = { onOpen: () => resolve(true), onSnapshot() {}, onLost() {}, onSent() {}, onEnd() {} };
			const url = location.origin.replace("http", "ws") + "/v1/channel";
			globalThis.channel = new Channel(url, token, events, {}, talk);
		});
	};
`

// bundled returns a module of the browser client's folder as one script.
func bundled(t *testing.T, module string) string {
	t.Helper()
	const web = "../web"
	esbuild, err := filepath.Abs(filepath.Join(web, "node_modules", ".bin", "esbuild"))
	if err == nil {
		_, err = os.Stat(esbuild)
	}
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_NODE") != "" {
			t.Fatalf("esbuild is not installed: %v", err)
		}
		t.Skipf("esbuild is not installed: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), esbuild, "--bundle", "--format=iife", "--loader=ts", "--log-level=error")
	cmd.Dir, cmd.Stdin, cmd.Stderr = filepath.Join(web, "src"), strings.NewReader(module), os.Stderr
	script, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// A page and a program talk with the world of a node, and by that with each other: all that is reliable arrives once
// and in order.
func TestPageTalks(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.World = parrot.New()
	s := start(t, cfg)
	p := open(t, play(s), bundled(t, talking))
	c, err := client.New("http://"+s.HTTPAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(t.Context(), "program", secret)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := session.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	eval[bool](p, "enter()")
	const words = 20
	for i := range words {
		if !eval[bool](p, fmt.Sprintf("say('page %d')", i)) {
			t.Fatal("the page cannot say anything")
		}
		if err := rt.Send([]byte(fmt.Sprint("program ", i)), true); err != nil {
			t.Fatal(err)
		}
	}
	p.wait(fmt.Sprintf("heard.length >= %d", 2*words))
	byPage := eval[[]string](p, "heard")
	var byProgram []string
	for len(byProgram) < 2*words {
		m, ok := <-rt.Messages()
		if !ok {
			t.Fatal(rt.Err())
		}
		byProgram = append(byProgram, string(m.Data))
	}
	for who, heard := range map[string][]string{"the page": byPage, "the program": byProgram} {
		for _, speaker := range []string{"page", "program"} {
			n := 0
			for _, w := range heard {
				if strings.HasPrefix(w, speaker+" ") {
					if w != fmt.Sprint(speaker, " ", n) {
						t.Errorf("%s hears %q as word %d", who, w, n)
					}
					n++
				}
			}
			if n != words {
				t.Errorf("%s hears %d words of the %s", who, n, speaker)
			}
		}
	}
	p.wait("say('boo', false), heard.includes('~boo')")
}
