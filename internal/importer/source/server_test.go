package source_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/importer/servertest"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/internal/importer/table"
)

// connect connects to a server as its user of all rights, by the socket.
func connect(t *testing.T, ctx context.Context, s *servertest.Server, database string) *table.Server {
	t.Helper()
	a, err := table.ParseAddress(s.AtSocket(s.Admin, database))
	if err != nil {
		t.Fatal(err)
	}
	server, err := table.Connect(ctx, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// players are those of a reader, as far as they do not say where they were found, in the order of their names.
func players(t *testing.T, r *source.Reader, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for p, err := range r.Players(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		p.Line, p.Done = 0, 0
		line := strings.ReplaceAll(fmt.Sprintf("%+v", p), `:\x`, ":") // which a record may have before bytes
		if p.Character != nil {
			line += fmt.Sprintf(" %+v", *p.Character)
			line = strings.Replace(line, fmt.Sprintf("%p", p.Character), "", 1)
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return strings.Join(append(all, r.Missing()...), "\n")
}

// What several systems keep is the same whether it is read of a server or of a dump, of MySQL or of PostgreSQL:
// bytes, text of all kinds, NULL, bans, characters. With RUSHGATE_LONG=1.
func TestServersAndTheirDumps(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes servers")
	}
	servers := servertest.All(t)
	var from, dumps []string
	for _, s := range servers {
		s.Run("", "CREATE DATABASE other")
		if s.Postgres {
			s.Run("other", ofPostgreSQL+inBoth(`'\x`, "'", `\`, "false"))
		} else {
			s.Run("other", ofMySQL+inBoth("0x", "", `\\`, "b'0'"))
		}
		dumps = append(dumps, s.Dump("other"))
		from = append(from, "the dump of "+s.String())
	}
	m, err := source.ParseMap([]byte(`{"own": true, "id": "user_id", "x": "chars.x", "numbers": {"gold": "chars.gold"},
		"data": {"bag": "chars.bag"}, "created": "joined", "characters": {"table": "chars", "its": "owner", "ours": "user_id",
		"best": "gold"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []source.Options{{System: "trinitycore"}, {System: "phpbb"}, {System: "smf", Table: "odd_members"},
		{System: "phpbb", Map: m}} {
		system, err := source.Builtin().Find(of.System)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, dump := range dumps {
			r, err := system.Open(t.Context(), dump, of)
			all = append(all, players(t, r, err))
		}
		for _, s := range servers {
			r, err := system.OpenServer(t.Context(), connect(t, t.Context(), s, "other"), of)
			all = append(all, players(t, r, err))
			from = append(from, s.String())
		}
		if n := strings.Count(all[0], "\n") + 1; n < 2 {
			t.Errorf("%s: there are %d players", of.System, n)
		}
		for i := range all {
			if all[i] != all[0] {
				t.Errorf("%s: from %s\n%s\nfrom %s\n%s", of.System, from[0], all[0], from[i], all[i])
			}
		}
	}
	for _, s := range servers {
		t.Run(s.String(), func(t *testing.T) { manyRows(t, s) })
	}
}

// What is in the tables of both servers, with the ways in which they write bytes, a backslash and a bit.
func inBoth(bytes, end, backslash, bit string) string {
	return fmt.Sprintf(`
INSERT INTO account VALUES (1, 'ANN', %[1]s%[2]s%[3]s, %[1]s%[4]s%[3]s), (2, 'BOB', %[1]s%[4]s%[3]s, %[1]s%[2]s%[3]s),
  (3, 'CID', %[1]s%[2]s%[3]s, %[1]s%[2]s%[3]s);
INSERT INTO account_banned VALUES (2, 1700000000, 1700000000, 1), (3, 1700000000, 4102444800, 1), (3, 5, 5, 0);
INSERT INTO f_users VALUES (1, 0, 'Anonymous', '', 1, '2020-01-02 03:04:05'),
  (7, 0, 'Zoë "the" O''Neil', '$2y$05$abcdefghijklmnopqrstuu/jd.T/aySXZ4qLN/6Uy0tOUJZm4UX8O', 2.5,
   '2020-01-02 03:04:05'),
  (5, 0, '日本 %[5]s 🎮', '$H$9abcdEFGH1FceFf7p5E/8vsTeQ7Vkc1', NULL, NULL),
  (6, 2, 'Robot', 'x', 0, NULL), (8, 0, 'None', '', 0, NULL);
INSERT INTO f_banlist VALUES (1, 5, 0, 0), (2, 7, 4102444800, 0), (3, 7, 1, 0), (4, 8, 0, 1);
INSERT INTO chars VALUES (1, 7, -12.5, 30, 'a%[5]sb'),
  (2, 7, 1e3, 200, '{"k": "v"}'), (3, 5, 0.25, 9007199254740000, NULL);
INSERT INTO odd_members VALUES (1, 'Al', 'da39a3ee5e6b4b0d3255bfef95601890afd80709', 11, %[6]s);
INSERT INTO odd_members VALUES (2, 'Mo', 'da39a3ee5e6b4b0d3255bfef95601890afd80700', 1, %[6]s);
`, bytes, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e00", end,
		"27225c0a0d001a00ff80fe3b2d2d0102030405060708090a0b0c0d0e0f101100", backslash, bit)
}

const ofMySQL = `
CREATE TABLE account (id int PRIMARY KEY, username varchar(32), salt binary(32), verifier binary(32));
CREATE TABLE account_banned (id int, bandate bigint, unbandate bigint, active tinyint);
CREATE TABLE f_users (user_id int PRIMARY KEY, user_type int, username varchar(255), user_password varchar(255),
  score double, joined datetime);
CREATE TABLE f_banlist (ban_id int PRIMARY KEY, ban_userid int, ban_end bigint, ban_exclude tinyint);
CREATE TABLE chars (nr int PRIMARY KEY, owner int, x double, gold bigint, bag text);
CREATE TABLE odd_members (id_member int, member_name varchar(80), passwd varchar(64), is_activated int, b bit(1));
`

const ofPostgreSQL = `
CREATE TABLE account (id int PRIMARY KEY, username text, salt bytea, verifier bytea);
CREATE TABLE account_banned (id int, bandate bigint, unbandate bigint, active int);
CREATE TABLE f_users (user_id int PRIMARY KEY, user_type int, username text, user_password text, score float8,
  joined timestamp);
CREATE TABLE f_banlist (ban_id int PRIMARY KEY, ban_userid int, ban_end bigint, ban_exclude int);
CREATE TABLE chars (nr int PRIMARY KEY, owner int, x float8, gold bigint, bag text);
CREATE TABLE odd_members (id_member int, member_name text, passwd text, is_activated int, b boolean);
`

// manyRows has rows read of a large table: what comes after the beginning is not seen, reading can stop and begin
// anew, and ends at once when the connection is to end.
func manyRows(t *testing.T, s *servertest.Server) {
	const count = 300_000
	const columns = "CREATE TABLE many (id int PRIMARY KEY, login varchar(40), pw varchar(200));\n"
	const insert = "INSERT INTO many SELECT n, concat('p', n), repeat('x', 200) FROM %s WHERE n <= %d;"
	s.Run("other", columns+fmt.Sprintf(insert, s.Numbers(), count))
	system, err := source.OfColumns("ours", "many", []string{"name=login", "password=pw"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r, err := system.OpenServer(ctx, connect(t, ctx, s, "other"), source.Options{System: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range r.Players(t.Context()) { // the first of all
		if err != nil || p.Name != "p1" || r.Size() != count {
			t.Fatal(p, err, r.Size())
		}
		break
	}
	s.Run("other", "INSERT INTO many VALUES (0, 'late', 'x'); DELETE FROM many WHERE id = 2;")
	n := 0
	for p, err := range r.Players(t.Context()) {
		if n++; err != nil || n < 3 && p.Name != fmt.Sprint("p", n) {
			t.Fatal(n, p, err)
		}
	}
	if n != count {
		t.Errorf("there are %d players", n)
	}
	n = 0
	start := time.Now()
	for _, err := range r.Players(context.Background()) {
		if err != nil {
			if n++; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		end()
	}
	t.Logf("broken off after %v", time.Since(start))
	if n != 1 {
		t.Errorf("breaking off is told %d times", n)
	}
}
