package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/certificate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A newcomer types what the documents show. TestDocumentedCommands types it too, in the order in which it stands there:
// against a node of its own in place of the usual ports, and shorter where it would take minutes.

// documented is a command as a document has it, without the comment behind it.
type documented struct {
	command string
	short   string // what is run in its place; empty for the command itself
	shows   string // what its output matches, a regular expression
	// elsewhere is what shows that it works where it is not run here.
	elsewhere string
}

// atProviders shows what the commands about providers do, which take one that knows a player.
const atProviders = "TestProvidersVouchAtTheNodesOfAFleet of server"

// document is a file with commands, in their order.
type document struct {
	file     string
	commands []documented
}

// atAPI shows what the commands about second factors do, which take codes of an authenticator.
const atAPI = "the tests of internal/api, secondfactor_test.go"

// documentedIn are all documents with commands. A command that is new there is new here.
var documentedIn = []document{
	{"README.md", []documented{
		{command: "git clone https://github.com/rushgate/rushgate && cd rushgate", elsewhere: "the clone that this test is in"},
		{command: "go run ./cmd/rushgate serve", elsewhere: "the node that the next commands talk to"},
		{command: `curl -sS http://127.0.0.1:8080/v1/register -d '{"username":"alice","password":"correct horse"}' > session.json`},
		{command: "cut -c 1-160 session.json", shows: `^\{"player_id":1,"session_token":"`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' session.json)`},
		{command: `curl -sS http://127.0.0.1:8080/v1/me -H "Authorization: Bearer $TOKEN"`, shows: `"name":"alice"`},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/logout -H "Authorization: Bearer $TOKEN"`, shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/login -d '{"username":"Alice","password":"correct horse"}'`,
			shows: `^\{"player_id":1,"session_token":"`},
		{command: "curl -sS http://127.0.0.1:8080/v1/leaderboards/xp", shows: `"board":"xp","entries":\[\{"rank":1,"player_id":1`},
		{command: "curl -sS http://127.0.0.1:8080/v1/status", shows: `"state":"open","players":1`},
		{command: "go run ./cmd/rushgate stress burst --clients 1000", short: "rushgate stress burst --clients 30",
			shows: `30`},
		{command: "go run ./cmd/rushgate stress launch-day --peak 10 --html launch-day.html",
			short: "rushgate stress launch-day --peak 10 --html launch-day.html --capacity 10 --ramp-up 1s --length 1s --decay 1s " +
				"--stay 1s && test -s launch-day.html", shows: `(?m)^kept .*let in`},
		{command: "go run ./cmd/rushgate stress ramp --play --clients 1000 --rate 100 --duration 60s",
			short: "rushgate stress ramp --play --clients 20 --rate 20 --duration 1s", shows: `20`},
		{command: "rushgate serve --db redis --redis-url redis://127.0.0.1:6379", shows: `(?m)^ready http=`},
		{command: "rushgate serve --handover", elsewhere: "TestHandoverKeepsPlayers"},
		{command: "rushgate import redis --from redis://old-server:6379 --dry-run",
			short: "rushgate import redis --from redis://127.0.0.1:6379 --dry-run --data new", shows: `0 accounts`},
		{command: "rushgate import redis --from redis://old-server:6379",
			short: "rushgate import redis --from redis://127.0.0.1:6379 --data new", shows: `0 accounts`},
		{command: "rushgate import redis --file players.jsonl --db redis --redis-url redis://127.0.0.1:6379", shows: `accounts`},
		{command: "make test", elsewhere: "what runs this test"},
		{command: "rushgate serve --http 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem", shows: `(?m)^ready http=`},
		{command: "rushgate serve --http 0.0.0.0:443 --acme-domain play.example.org", elsewhere: "TestCertificateFromPebble of internal/acme"},
		{command: "rushgate serve --http 0.0.0.0:443 --tls", shows: `(?m)^ready http=`},
		{command: "rushgate serve --http 0.0.0.0:80 --insecure-http --trusted-proxies 10.0.0.2", shows: `(?m)^ready http=`},
		{command: "rushgate account create carol", short: "echo 'correct horse' | rushgate account create carol",
			shows: `^created player \d+, carol\n$`},
		{command: "rushgate account show carol --json", shows: `"name": ?"carol"`},
		{command: `rushgate account disable carol --for 72h --reason "cheating"`, shows: `^disabled player \d+, carol`},
		{command: "rushgate account calibrate", elsewhere: "TestCalibrateShowsProgressOnATerminal"},
	}},
	{"CONTRIBUTING.md", []documented{
		{command: "go build ./cmd/rushgate", elsewhere: "make unit"},
		{command: "go test ./...", elsewhere: "make unit"},
		{command: "RUSHGATE_REDIS_SERVER=$HOME/valkey/src/valkey-server go test -race ./store/redis ./internal/importer/... ./server",
			elsewhere: "wants a Valkey that was built by hand"},
	}},
	{"docs/identities.md", []documented{
		{command: "rushgate serve --guest-keep 720h", shows: `(?m)^ready http=`},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/guest ` +
			`-d '{"secret":"2Tz8fV0Ytx1hlC3KzEIaU5oG8mHnPqRsWvXyZ4b6c7U","attempt_id":"1"}'`, elsewhere: "TestGuestOfAServer of client"},
		{command: "rushgate serve --http 0.0.0.0:443 --acme-domain play.example.org --oidc providers.json", elsewhere: atProviders},
		{command: "curl -sS http://127.0.0.1:8080/v1/identities", shows: `^\{"providers":\[`},
		{command: "curl -sS -X POST http://127.0.0.1:8080/v1/identities/google/native/start", elsewhere: atProviders},
		{command: `curl -sS http://127.0.0.1:8080/v1/identities/google/native -d '{"id_token":"ID_TOKEN","nonce":"NONCE"}'`,
			elsewhere: atProviders},
		{command: `curl -sS http://127.0.0.1:8080/v1/identities/login -d '{"proof":"PROOF","attempt_id":"another-each-time"}'`,
			elsewhere: atProviders},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/identities -H "Authorization: Bearer $TOKEN"`,
			elsewhere: "TestLinkingDevices of internal/api"},
	}},
	{"docs/accounts.md", []documented{
		{command: `curl -sS http://127.0.0.1:8080/v1/register ` +
			`-d '{"username":"ada","password":"correct horse","remember":"laptop"}' > laptop.json`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' laptop.json)`},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/logout -H "Authorization: Bearer $TOKEN"`, shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/login -d '{"username":"ada","password":"correct horse"}' > ada.json`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' ada.json)`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account -H "Authorization: Bearer $TOKEN" > account.json`},
		{command: "cat account.json", shows: `"name":"ada".*"devices":\[\{"handle":"[^"]{16}","label":"laptop"`},
		{command: `HANDLE=$(sed 's/.*"handle":"\([^"]*\)".*/\1/' account.json)`},
		{command: `curl -sS -X DELETE http://127.0.0.1:8080/v1/account/devices/$HANDLE -H "Authorization: Bearer $TOKEN"`,
			shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/password -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"current":"correct horse","new":"better horse"}' > ada.json`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' ada.json)`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/history -H "Authorization: Bearer $TOKEN"`, shows: `^\{"events":\[`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/export -H "Authorization: Bearer $TOKEN" > export.json`},
		{command: "cat export.json", shows: `^\{"exported_at":"20.*"name":"ada".*"credentials":\[\{"kind":"password"`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/name -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"name":"lovelace","password":"better horse"}' > ada.json`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' ada.json)`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/name -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"name":"ada","password":"better horse"}'`, shows: `renamed not long ago`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/delete -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"password":"better horse"}'`, shows: `^\{"delete_at":"20`},
		{command: `curl -sS http://127.0.0.1:8080/v1/login -d '{"username":"lovelace","password":"better horse"}' > ada.json`},
		{command: `TOKEN=$(sed 's/.*"session_token":"\([^"]*\)".*/\1/' ada.json)`},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/account/keep -H "Authorization: Bearer $TOKEN"`, shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/totp -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"password":"better horse"}' > totp.json`},
		{command: `CODE=$(oathtool --totp -b $(sed 's/.*"secret":"\([^"]*\)".*/\1/' totp.json))`, elsewhere: atAPI},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/totp/confirm -H "Authorization: Bearer $TOKEN" ` +
			`-d "{\"code\":\"$CODE\"}" > recovery.json`, elsewhere: atAPI},
		{command: `curl -sS http://127.0.0.1:8080/v1/login -d '{"username":"lovelace","password":"better horse","code":"123 456"}'`,
			elsewhere: atAPI},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/totp -H "Authorization: Bearer $TOKEN"`,
			shows: `"active":false`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/totp/ask -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"password":"better horse","code":"123 456","ask":"always"}'`, elsewhere: atAPI},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/totp/recovery-codes -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"password":"better horse","code":"123 456"}'`, elsewhere: atAPI},
		{command: `curl -sS -X DELETE http://127.0.0.1:8080/v1/account/totp -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"password":"better horse","code":"123 456"}'`, elsewhere: atAPI},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/passkey/start`, shows: `"rpId":"localhost"`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/passkeys -H "Authorization: Bearer $TOKEN"`,
			shows: `"passkeys":\[\]`},
		{command: `curl -sS -X POST http://127.0.0.1:8080/v1/account/logout-everywhere -H "Authorization: Bearer $TOKEN"`,
			shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/email -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"email":"ada@example.org","current":"better horse"}'`, elsewhere: "TestLostPasswordByMail of server"},
		{command: `curl -sS http://127.0.0.1:8080/v1/account/email/verify -H "Authorization: Bearer $TOKEN" ` +
			`-d '{"code":"7K2M-QX9D-4HPT"}'`, elsewhere: "TestLostPasswordByMail of server"},
		{command: `curl -sS http://127.0.0.1:8080/v1/recover -d '{"username":"lovelace"}'`,
			elsewhere: "TestLostPasswordByMail of server"},
		{command: `rushgate account recovery-code lovelace > code.txt`},
		{command: `CODE=$(cut -c 1-14 code.txt)`},
		{command: `curl -sS http://127.0.0.1:8080/v1/recover/finish ` +
			`-d '{"username":"lovelace","code":"'$CODE'","password":"best horse"}'`, shows: `^$`},
		{command: `curl -sS http://127.0.0.1:8080/v1/login -d '{"username":"lovelace","password":"best horse"}'`,
			shows: `"session_token"`},
		{command: "umask 077"},
		{command: "rushgate operator add anna --role all > anna.token", shows: `^added anna, who has the role all`},
		{command: "export RUSHGATE_ADMIN_TOKEN_FILE=anna.token"},
		{command: "rushgate operator add ben --role help > ben.token", short: "sleep 1; rushgate operator add ben --role help > ben.token",
			shows: `^added ben, who has the role help`},
		{command: "rushgate operator list", shows: `(?m)^ben +help +added`},
		{command: "rushgate admin status", short: "rushgate admin status --url http://127.0.0.1:9090", shows: `(?m)^players +\d+ of`},
		{command: "rushgate admin search ali", short: "rushgate admin search ali --url http://127.0.0.1:9090",
			shows: `^no account is like that`},
		{command: "rushgate audit show --limit 5", shows: `(?m)operator.add  ben as help`},
		{command: "rushgate audit verify", shows: `^entries 1 to 4 are as they were written\n4:[0-9a-f]{64}\n`},
	}},
	{"docs/browser.md", []documented{
		{command: "rushgate serve", shows: `(?m)^ready http=`},
		{command: `rushgate serve --page-title "Rust & Bones" --page-accent "#8b1e3f"`, shows: `(?m)^ready http=`},
		{command: "go generate ./internal/web", elsewhere: "TestFresh of internal/web"},
		{command: "go test ./internal/web", elsewhere: "make unit"},
		{command: "rushgate serve --origins https://play.example.org,capacitor://localhost,https://localhost", shows: `(?m)^ready http=`},
	}},
	{"docs/embedding.md", []documented{
		{command: "git clone https://github.com/rushgate/rushgate", elsewhere: "the clone that this test is in"},
		{command: "mkdir dots && cd dots && go mod init example.org/dots", shows: `creating new go.mod`},
		{command: "cp ../rushgate/examples/dot/main.go ."},
		{command: "go mod edit -require github.com/rushgate/rushgate@v0.0.0 -replace github.com/rushgate/rushgate=../rushgate",
			short: "go mod edit -require github.com/rushgate/rushgate@v0.0.0 " +
				"-replace github.com/rushgate/rushgate=$(realpath ../rushgate) && cp ../rushgate/go.sum ."},
		{command: "go mod tidy && go run .", short: "go mod tidy -e && go vet ."},
		{command: "go run ./examples/tag", elsewhere: "the tests of examples/tag"},
		{command: "go run ./examples/tag -bots 5 -duration 1m -draw", elsewhere: "the tests of examples/tag"},
		{command: "mkdir mygame && cd mygame && go mod init example.org/mygame",
			short: "cd .. && mkdir mygame && cd mygame && go mod init example.org/mygame", shows: `creating new go.mod`},
		{command: "cp ../rushgate/examples/tag/{tag,checkpoint,main,bot,screen}.go ."},
		{command: "go mod edit -require github.com/rushgate/rushgate@v0.0.0 -replace github.com/rushgate/rushgate=../rushgate",
			short: "go mod edit -require github.com/rushgate/rushgate@v0.0.0 " +
				"-replace github.com/rushgate/rushgate=$(realpath ../rushgate) && cp ../rushgate/go.sum ."},
		{command: "go mod tidy", short: "go mod tidy -e"},
		{command: "go run .", short: "go run . -duration 2s", shows: `1\. `},
	}},
	{"docs/import.md", []documented{
		{command: "rushgate import sources", shows: `(?m)^minetest`},
		{command: "rushgate import records --system minetest --file worlds/ours/auth.sqlite --dry-run",
			elsewhere: "TestPlayersOfOtherPrograms"},
		{command: "rushgate import records --system minetest --file worlds/ours/auth.sqlite", elsewhere: "TestPlayersOfOtherPrograms"},
		{command: "rushgate import records --system phpbb --from mysql://reader@db.example.org/forum --from-password-file pw --dry-run",
			elsewhere: "TestImportOfLiveDatabases"},
		{command: `rushgate import records --system nakama --from "postgres://reader@/nakama?socket=/run/postgresql" --dry-run`,
			elsewhere: "TestServersAndTheirDumps of internal/importer/source"},
		{command: `echo '{"system":"authme SHA256","username":"Steve","stored":{"password":"$SHA$11aa0706173d7272$` +
			`dbba96681c2ae4e0bfdf226d70fbbc5e4ee3d8071faa613bc533fe8a64817d10"}}' > players.jsonl`},
		{command: "rushgate import records --file players.jsonl --dry-run",
			short: "rushgate import records --file players.jsonl --dry-run --data new", shows: `would do  1 accounts`},
		{command: "rushgate import records --file players.jsonl",
			short: "rushgate import records --file players.jsonl --data new", shows: `hardened  1 weak hashes`},
		{command: "rushgate import records --file players.jsonl --db redis --redis-url redis://127.0.0.1:6379",
			shows: `imported  1 accounts`},
		{command: "rushgate import schemes", shows: `(?m)^minetest`},
	}},
	{"docs/operations.md", []documented{
		{command: "rushgate serve --data /var/lib/rushgate --handover", elsewhere: "TestHandoverKeepsPlayers"},
		{command: `rushgate admin mode closed --message "New monsters" --opens-at 2027-01-31T18:00:00Z`,
			short: `rushgate admin mode closed --message "New monsters" --opens-at 2027-01-31T18:00:00Z ` +
				"--url http://127.0.0.1:9090", shows: `(?m)^message   New monsters`},
		{command: "rushgate admin mode", short: "rushgate admin mode --url http://127.0.0.1:9090", shows: `^mode      closed`},
		{command: `rushgate admin ban --range 203.0.113.0/24 --except carol --for 72h --text "Bots" ` +
			`--reason "the market, ticket 7"`,
			short: `rushgate admin ban --range 203.0.113.0/24 --except carol --for 72h --text "Bots" ` +
				`--reason "the market, ticket 7" --url http://127.0.0.1:9090`, shows: `^banned range 203.0.113.0/24 except carol`},
		{command: "rushgate admin bans", short: "rushgate admin bans --url http://127.0.0.1:9090", shows: `1 of 1 bans`},
		{command: "rushgate backup players-$(date +%F).db", short: "rushgate backup players-2026-11-29.db", shows: `^backed up`},
		{command: "rushgate restore players-2026-11-29.db", short: "rushgate restore players-2026-11-29.db --data new",
			shows: `^restored`},
		{command: "rushgate move --from ./rushgate-data --to redis://127.0.0.1:6379",
			short: "rushgate move --from new --to redis://127.0.0.1:6379", shows: `^moved`},
	}},
	{"docs/protocol.md", []documented{
		{command: "npx openapi-typescript http://127.0.0.1:8080/v1/openapi.yaml -o schema.d.ts",
			elsewhere: "TestGeneratedTypeScriptClient of internal/e2e"},
		{command: "curl -sSO http://127.0.0.1:8080/v1/openapi.yaml", short: "curl -sSO http://127.0.0.1:8080/v1/openapi.yaml && " +
			"head -1 openapi.yaml", shows: `^openapi: 3`},
		{command: "go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@latest -package game " +
			"-generate types,client     -o client.gen.go openapi.yaml", elsewhere: "TestGeneratedGoClient of internal/e2e"},
	}},
	{"docs/proxies.md", []documented{ // whose settings its own tests try with the proxies
		{command: "rushgate serve --trusted-proxies 127.0.0.1", shows: `(?m)^ready http=`},
		{command: "rushgate serve --trusted-proxies 127.0.0.1", shows: `(?m)^ready http=`},
		{command: "rushgate serve --trusted-proxies 127.0.0.1", shows: `(?m)^ready http=`},
		{command: "rushgate serve --http 127.0.0.1:8443 --tls-cert cert.pem --tls-key key.pem --trusted-proxies 127.0.0.1 " +
			"--proxy-protocol", shows: `(?m)^ready http=`},
		{command: "rushgate serve --udp 127.0.0.1:40001 --udp-public play.example.org:40000",
			elsewhere: "wants a name that is there"},
	}},
	{"docs/stress.md", []documented{
		{command: "rushgate stress reconnect-storm --clients 2000 --kill 'kill -9 $(pgrep -x rushgate); sleep 1; rushgate serve'",
			elsewhere: "TestStormOfTheServer of internal/stress/run"},
		{command: "rushgate stress reconnect-storm --clients 1000 --handover 'rushgate serve --handover' --max-gap 500ms",
			elsewhere: "TestHandoverKeepsPlayers"},
		{command: "taskset -c 0 rushgate serve --data /tmp/flooded --max-players 100000 &",
			elsewhere: "wants a core of its own"},
		{command: "taskset -c 1 rushgate stress flood --times 37 --min-goodput 0.55 --max-tick 2ms --html flood.html",
			elsewhere: "wants a core of its own"},
		{command: "rushgate stress launch-day --peak 10 --timeout 30m --line-promises --html launch.html",
			elsewhere: "wants more players than the node can let in"},
		{command: "rushgate stress burst --clients 1000 --crowd 10000 --timeout 30m --line-promises",
			elsewhere: "wants more players than the node can let in"},
		{command: "taskset -c 0 rushgate serve &", elsewhere: "wants a core of its own"},
		{command: "taskset -c 1 rushgate stress launch-day --peak 10", elsewhere: "wants a core of its own"},
	}},
}

// commandsOf finds the commands of a document: what is fenced as sh.
func commandsOf(document string) (commands []string) {
	comment := regexp.MustCompile(`\s+# .*$`)
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(document, -1) {
		text := strings.ReplaceAll(block[1], "\\\n", "")
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), "")); line != "" {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// What is said to be shown elsewhere is: each test that is named there exists.
func TestDocumentedElsewhere(t *testing.T) {
	tests := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "node_modules":
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(b, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range documentedIn {
		for _, c := range doc.commands {
			if name := regexp.MustCompile(`^Test\w+`).FindString(c.elsewhere); name != "" && !tests[name] {
				t.Errorf("%s: there is no %s", c.command, name)
			}
		}
	}
}

func TestDocumentedCommands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("they are for a Unix shell")
	}
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		known := slices.ContainsFunc(documentedIn, func(d document) bool { return d.file == "docs/"+filepath.Base(path) })
		if !known && len(commandsOf(string(text))) > 0 {
			t.Errorf("%s has commands that this test does not know", path)
		}
	}
	for _, doc := range documentedIn {
		t.Run(doc.file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("../..", doc.file))
			if err != nil {
				t.Fatal(err)
			}
			var known []string
			for _, c := range doc.commands {
				known = append(known, c.command)
			}
			if found := commandsOf(string(text)); !slices.Equal(found, known) {
				t.Fatalf("the document has\n%s\nbut this test knows\n%s", strings.Join(found, "\n"), strings.Join(known, "\n"))
			}
			typeIn(t, doc.commands)
		})
	}
}

// typeIn types commands into one shell, in a folder beside a checkout named rushgate.
func typeIn(t *testing.T, commands []documented) {
	data, dir := t.TempDir(), t.TempDir()
	n := startNode(t, data)
	address := strings.TrimPrefix(redistest.Start(t).URL(), "redis://")
	shellFolder(t, dir, n, data)
	typed := strings.NewReplacer("http://127.0.0.1:8080", n.http, "http://127.0.0.1:9090", n.admin,
		"127.0.0.1:6379", strings.TrimSuffix(address, "/"), "0.0.0.0:443", "127.0.0.1:0", "0.0.0.0:80", "127.0.0.1:0", "127.0.0.1:8443", "127.0.0.1:0")
	var script strings.Builder
	for i, c := range commands {
		command := c.command
		if c.short != "" {
			command = c.short
		}
		if c.elsewhere != "" {
			command = ":"
		}
		fmt.Fprintf(&script, "%s\nprintf '\\n== %d %%d\\n' $?\n", typed.Replace(command), i)
	}
	shell := exec.Command("bash")
	shell.Dir = dir
	shell.Env = append(commandEnv(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "RUSHGATE_LOG_LEVEL=warn",
		"CGO_ENABLED=0") // as make unit has built it already
	shell.Stdin = strings.NewReader(script.String())
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := string(out)
	for i, c := range commands {
		printed, after, _ := strings.Cut(rest, fmt.Sprintf("\n== %d ", i))
		status, after, _ := strings.Cut(after, "\n")
		rest = after
		if status != "0" || !regexp.MustCompile("(?s)"+c.shows).MatchString(printed) {
			t.Errorf("%s\nends with status %s, and should show %s:\n%s", c.command, status, c.shows, printed)
		}
	}
}

// shellFolder fills a folder in which commands are typed: a checkout, what the documents take for there, and a command
// rushgate which begins nodes on free ports and ends them once they are ready.
func shellFolder(t *testing.T, dir string, n *node, data string) {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(checkout, filepath.Join(dir, "rushgate")); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(oldPlayers)
	if err != nil {
		t.Fatal(err)
	}
	cert := certificate.SelfSigned{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Write: os.WriteFile,
	}
	if _, err := cert.Ensure(time.Now()); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/bash
case $1 in
serve)
	export RUSHGATE_HTTP=127.0.0.1:0 RUSHGATE_ADMIN=127.0.0.1:0 RUSHGATE_UDP=127.0.0.1:0 RUSHGATE_DATA=$(mktemp -d)
	exec 3< <(exec %[1]q "$@")
	read -r line <&3
	kill $!
	echo "$line"
	wait $!
	;;
stress) RUSHGATE_TARGET=%[2]q RUSHGATE_ADMIN=%[3]q exec %[1]q "$@" ;;
account|backup) RUSHGATE_DATA=%[4]q exec %[1]q "$@" ;;
*) exec %[1]q "$@" ;;
esac
`, os.Args[0], n.http, n.admin, data)
	for name, content := range map[string][]byte{
		"players.jsonl": old, "bin/rushgate": []byte(script),
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
