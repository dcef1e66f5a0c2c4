package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/smallfile"
	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/flood"
	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
	"github.com/rushgate/rushgate/server"
)

const week = 7 * 24 * time.Hour

// stressFlags are the settings of a run as the command line has them.
type stressFlags struct {
	scenario report.Scenario

	target, adminURL, prefix, password, ca text
	jsonFile, htmlFile, serverKey          text
	mode, kind, dropBy, knockMode          choice
	knockSources                           text
	knocks, answered                       share
	times                                  decimal
	patience, before, refusalP99           span
	clients, retries, sources              number
	timedOut, dropped, refused             number
	rate, peak                             decimal
	capacity                               share
	register, login, wrong, malformed      share
	giveUp, goodput, in, snapshots         share
	timeout, duration, stay                span
	length, rampUp, decay, giveUpAfter     span
	firstAnswerP99, successP99             span
	probeP99, tickP99                      span
	tls, insecureTLS, keepAlive, play      toggle
	line                                   choice
	knockAddr                              text
	crowd                                  number
	lineShare, linePromises                toggle
	webSocket                              toggle
	kill, handover                         text
	watch, gapP99, back                    span
	tryTimeout, settle                     span
	operatorToken                          text
	about                                  subjectFlags
}

// subjectFlags are what the operator says of a server that does not say it.
type subjectFlags struct {
	version, system, hash, store text
	cpus, cores                  number
}

func newStressFlags(s report.Scenario) *stressFlags {
	v := &stressFlags{
		scenario: s,
		target:   "http://" + server.DefaultHTTPAddr,
		password: stress.DefaultPassword,
		mode:     choice{"register", []string{"register", "login", "opaque", "guest"}},
		kind:     choice{"rushgate", []string{"rushgate"}},
		dropBy:   choice{string(stress.DropByClients), []string{string(stress.DropByClients), string(stress.DropByServer)}},
		clients:  number{1000, 1, stress.MaxClients},
		retries:  number{client.DefaultMaxRetries, 0, 1000},
		sources:  number{0, 0, stress.MaxClients},
		timedOut: number{0, -1, stress.MaxClients}, dropped: number{0, -1, stress.MaxClients}, refused: number{0, -1, stress.MaxClients},
		rate: decimal{10, stress.MaxRate}, peak: decimal{stress.DefaultPeak, stress.MaxPeak},
		capacity: share{0, stress.MaxRate},
		register: share{stress.DefaultMix.Register, 1}, login: share{stress.DefaultMix.Login, 1},
		wrong: share{stress.DefaultMix.WrongPassword, 1}, malformed: share{stress.DefaultMix.Malformed, 1},
		giveUp: share{0, 1}, goodput: share{0, 1}, in: share{0, 1}, snapshots: share{0, 1},
		timeout: span{stress.DefaultTimeout, time.Second, time.Hour}, duration: span{0, 0, week}, stay: span{0, 0, week},
		length: span{stress.DefaultLength, time.Second, week}, rampUp: span{stress.DefaultSlope, 0, week},
		decay: span{stress.DefaultSlope, 0, week}, giveUpAfter: span{stress.DefaultPatience, time.Second, time.Hour},
		firstAnswerP99: span{0, 0, time.Hour}, successP99: span{0, 0, time.Hour}, probeP99: span{0, 0, time.Hour}, tickP99: span{0, 0, time.Hour},
	}
	v.knockMode = choice{"register", []string{"register", "login", "opaque"}}
	v.knocks, v.times, v.answered = share{0, flood.MaxPerSecond}, decimal{stress.DefaultTimes, stress.MaxPeak}, share{0, 1}
	v.patience = span{stress.DefaultPatience, 100 * time.Millisecond, flood.MaxPatience}
	v.before, v.refusalP99 = span{5 * time.Second, 0, week}, span{0, 0, time.Hour}
	v.line = choice{string(stress.LineAuto),
		[]string{string(stress.LineAuto), string(stress.LineHTTP), string(stress.LineUDP), string(stress.LineOff)}}
	v.crowd = number{0, 0, stress.MaxClients}
	v.watch, v.gapP99, v.back = span{stress.DefaultWatch, time.Second, time.Hour}, span{0, 0, time.Hour}, span{0, 0, time.Hour}
	v.tryTimeout = span{client.DefaultTryTimeout, time.Second, time.Hour}
	v.settle = span{stress.DefaultSettle, time.Second, time.Hour}
	v.about.cpus, v.about.cores = number{0, 0, 1 << 20}, number{0, 0, 1 << 20}
	for _, k := range adapter.Kinds() {
		v.kind.among = append(v.kind.among, string(k))
	}
	switch s {
	case report.Poisson, report.Mixed:
		v.rate.value = 50
	case report.ReconnectStorm:
		v.rate.value = 100
	case report.LaunchDay:
		v.giveUp.value, v.stay.value = 0.3, 10*time.Second
	case report.KnockFlood:
		v.length.value, v.play, v.stay.value, v.retries.value = stress.DefaultFlood, true, 20*time.Second, v.retries.high
		v.rate = decimal{0, stress.MaxRate}
	}
	return v
}

// scenarioText explains a scenario in its help.
var scenarioText = map[report.Scenario]string{
	report.Burst: `All clients knock at once, at the door's worst moment: the doors open, or the servers are back.`,
	report.Ramp:  `Clients come one by one at an even pace. --rate 2 --clients 2000 is a classic: one every half second.`,
	report.Poisson: `Clients come independently of each other and of the server, as strangers do: sometimes three at once, sometimes
none for a while.`,
	report.LaunchDay: `The rate grows from nothing to --peak times what the server can let in, stays there for --length, and falls again. What
the server can let in is measured first, in half a minute or so, unless --capacity tells. Some of those who wait lose patience,
hang up and come back; who is in stays for --stay. The report tells the goodput: how many got in per second during the
peak, against the capacity.`,
	report.ReconnectStorm: `Clients come in at --rate and stay. Then all lose their connections at once and want back in: --drop-by clients has them
hang up without a word after --duration, as when a network fails; --drop-by server has them play on until the server is
gone, for up to --duration, so that you can kill or restart it meanwhile. The report tells when the last one was back.

With --kill or --handover the run does it itself: after --duration, in which all play, it has the shell run the command, and
watches every snapshot of every player, and the logins of others, ten a second, until all see the world again. The report
tells each player's longest time without a snapshot, who had to connect again or log in again, and when the last was back.

  --kill 'kill -9 $(pgrep -x rushgate); sleep 1; rushgate serve'
  --handover 'rushgate serve --handover'`,
	report.Mixed: `Clients come as with poisson, and want different things: register, log in to an account that exists (such accounts are
made before), log in with a wrong password, send nonsense. The last two must be refused, each with the right answer.`,
	report.KnockFlood: `A flood of knocks beats against the door for --length: --knocks a second, or --times what the server can let in, each on
a new connection from an address of its own, whether those before were answered or not. They neither wait nor come back.
Beside them honest clients come, a tenth as many as the server can let in, wait as told, and play for --stay. What the
server can let in is measured first, unless --capacity tells. The report tells how many were let in per second against
that, what the honest clients lived through, what each knock was told and when, and where the server's CPU time went. On
Linux only. Give the server a core or more of its own: taskset -c 0 rushgate serve, taskset -c 1 rushgate stress flood.`,
}

func (v *stressFlags) declare() *flags {
	f := newFlags(fmt.Sprintf("Usage: rushgate stress %s [flags]\n\n%s\n\nExit status 1 means that a limit was not kept; by default every client has to get an answer, and one at least has to get in.\nOnly aim this at servers that are yours.",
		v.scenario, scenarioText[v.scenario]))
	v.declareTarget(f)
	v.declareArrivals(f)
	v.declareClients(f)
	v.declareLimits(f)
	f.add(&v.jsonFile, "json", "", "`FILE` for the report as JSON, which compare and report read")
	f.add(&v.htmlFile, "html", "", "`FILE` for the report as one HTML page with charts")
	return f
}

func (v *stressFlags) declareTarget(f *flags) {
	f.add(&v.target, "target", "", "`URL` of the server")
	f.add(&v.adminURL, "admin", "", "`URL` of the node's admin listener, for the server's own figures, or those of all nodes behind the target with commas between them; that of another node than the target is not used; \"none\" for none; by default http://"+server.DefaultAdminAddr+" when the target is on loopback")
	f.add(&v.kind, "server", "", "`KIND` of server: "+strings.Join(v.kind.among, ", ")+"; see docs/comparison.md")
	f.add(&v.serverKey, "server-key", "", "`KEY` that clients of Nakama and Supabase have to send")
	f.add(&v.operatorToken, "server-token-file", "", "`FILE` with a superuser's token of PocketBase, to ask for its own count of accounts and its hash")
	f.add(&v.settle, "settle", "", "`TIME` at most that another kind of server is waited for until it is idle, before the load and after it")
	f.add(&v.about.version, "server-version", "", "`VERSION` of the server, for the report; Rushgate tells it, as it does the next five")
	f.add(&v.about.system, "server-system", "", "`SYSTEM` that it runs on, for the report")
	f.add(&v.about.cpus, "server-cpus", "", "`N` CPUs of its machine, for the report; 0 if that is not known")
	f.add(&v.about.cores, "server-cores", "", "`N` cores that it may use, for the report; 0 if that is not known")
	f.add(&v.about.store, "server-store", "", "`STORE` of the server, for the report")
	f.add(&v.about.hash, "server-hash", "", "`HASH` of passwords of the server, with its cost, for the report")
	f.add(&v.tls, "tls", "", "speak HTTPS even if the target's URL says http")
	f.add(&v.insecureTLS, "insecure-tls", "", "accept any certificate, such as a self-signed one")
	f.add(&v.ca, "ca", "", "`FILE` with the only certificate authorities to trust, PEM")
}

func (v *stressFlags) declareArrivals(f *flags) {
	switch v.scenario {
	case report.Burst, report.Ramp, report.ReconnectStorm:
		f.add(&v.clients, "clients", "", fmt.Sprintf("`N` clients, 1 to %d", stress.MaxClients))
	}
	switch v.scenario {
	case report.Ramp, report.ReconnectStorm, report.Poisson, report.Mixed:
		f.add(&v.rate, "rate", "", "`R` clients start per second")
	}
	switch v.scenario {
	case report.Poisson, report.Mixed:
		f.add(&v.length, "length", "", "`TIME` for which clients come")
	case report.LaunchDay:
		f.add(&v.peak, "peak", "", "`M`: rate at the peak in multiples of the capacity")
		f.add(&v.capacity, "capacity", "", "`R` clients per second can be let in; 0 has it measured")
		f.add(&v.rampUp, "ramp-up", "", "`TIME` in which the rate grows to the peak")
		f.add(&v.length, "length", "", "`TIME` that the peak lasts")
		f.add(&v.decay, "decay", "", "`TIME` in which the rate falls to nothing")
	case report.KnockFlood:
		v.declareKnocks(f)
	case report.ReconnectStorm:
		f.add(&v.dropBy, "drop-by", "", "`WHO` ends the connections: clients or server")
		f.add(&v.kill, "kill", "", "`COMMAND` for the shell that kills the server and starts it again; implies --play")
		f.add(&v.handover, "handover", "", "`COMMAND` for the shell that has another process take the players over; implies --play; nobody may have to connect again, and no login be refused")
		f.add(&v.watch, "watch", "", "`TIME` from the beginning of the command for which the players are watched at least")
	}
	if v.scenario == report.Mixed {
		f.add(&v.register, "register", "", "`SHARE` of clients who register")
		f.add(&v.login, "login", "", "`SHARE` of clients who log in")
		f.add(&v.wrong, "wrong-password", "", "`SHARE` of clients who log in with a wrong password")
		f.add(&v.malformed, "malformed", "", "`SHARE` of clients who send nonsense")
	}
}

func (v *stressFlags) declareKnocks(f *flags) {
	f.add(&v.knocks, "knocks", "", "`R` knocks come per second; 0 has --times decide")
	f.add(&v.times, "times", "", "`M` knocks come for each client that can be let in")
	f.add(&v.length, "length", "", "`TIME` that the flood lasts")
	f.add(&v.before, "before", "", "`TIME` that the honest clients have the server for themselves before the flood")
	f.add(&v.patience, "patience", "", "`TIME` that each knock waits for its answer")
	f.add(&v.knockMode, "knock-mode", "", "`MODE` of the knocks: register, with fresh names, login, to a thousand accounts that are made before, or opaque, which begins logins by OPAQUE with fresh names")
	f.add(&v.knockSources, "knock-sources", "", "`PREFIX` of the IPv4 addresses that knocks come from, all of which must be routed to this machine; by default "+flood.Loopback.String()+" when the target is on loopback")
	f.add(&v.capacity, "capacity", "", "`R` clients per second can be let in; 0 has it measured")
	f.add(&v.rate, "rate", "", "`R` honest clients start per second").def = "a tenth of the capacity"
}

func (v *stressFlags) declareClients(f *flags) {
	if v.scenario != report.Mixed {
		f.add(&v.mode, "mode", "", "`MODE`: register, login to the accounts that a run with register has made, guest: come as new guests, whom a node with --guest-keep deletes some time after, or opaque: log in by OPAQUE, to accounts that this run registers before, at a node with --opaque. What the players compute is done beforehand where it can be, and accounted apart")
	}
	v.declareLine(f)
	f.add(&v.retries, "retries", "", "`N` times a client that was told \"busy\", and has no place in the line, comes back")
	f.add(&v.timeout, "timeout", "", "`TIME` a client goes on trying")
	f.add(&v.tryTimeout, "try-timeout", "", "`TIME` that one try may take, with any kind of server; one of Rushgate gives a request up after --auth-max-age, 25s, and should have 5s more")
	f.add(&v.giveUp, "give-up", "", "`SHARE` of clients, 0 to 1, who hang up if they are not in after --give-up-after, and come back later")
	f.add(&v.giveUpAfter, "give-up-after", "", "`TIME` until they lose patience")
	f.add(&v.sources, "sources", "", "`N` source addresses that clients take turns at when the target is on IPv4 loopback; 0 gives each one of its own, 1 is one for all")
	f.add(&v.keepAlive, "keep-alive", "", "make all tries of a client over one connection; by default each has its own, as on a launch day")
	f.add(&v.play, "play", "", "connect to the world by UDP, walk about, and check every snapshot; takes two open files a client, see \"ulimit -Hn\"")
	f.add(&v.webSocket, "websocket", "", "play over a WebSocket, as browsers do, instead of UDP; with --play")
	if v.scenario == report.ReconnectStorm {
		f.add(&v.duration, "duration", "", fmt.Sprintf("`TIME` that all are inside before the drop, or that is waited for the server to do it; 0 means %v", stress.DefaultInside))
	} else {
		f.add(&v.stay, "stay", "", "`TIME` that each client stays inside; 0 means until the end of the run")
		f.add(&v.duration, "duration", "", fmt.Sprintf("`TIME` that all stay once they are in; 0 means %v with --play and otherwise none", stress.DefaultPlay))
	}
	f.add(&v.prefix, "prefix", "", "`PREFIX` of the accounts' names, which are PREFIX-000001 and so on; with --mode login by default those of the last run").
		def = "a new one for each run"
	f.add(&v.password, "password", "", "`PASSWORD` of all accounts: a test's, never a real one")
}

func (v *stressFlags) declareLine(f *flags) {
	f.add(&v.line, "line", "", "`HOW` clients that find no room wait in the server's line: http, with a ticket, reading the line's document; udp, with a ticket, asking by UDP first; off, knowing nothing of a line, as told by Retry-After; auto, as the server offers")
	f.add(&v.knockAddr, "knock-addr", "", "`HOST:PORT` where clients ask by UDP; by default where the server says")
	f.add(&v.lineShare, "line-share", "", "one reading of the line's document a second serves all clients, as behind a CDN; by default each reads it for itself")
	switch v.scenario {
	case report.Burst, report.Ramp, report.Poisson, report.LaunchDay:
		f.add(&v.crowd, "crowd", "", "`N` more clients come beside the others, all from one address; the run is made twice, without them first, and the report tells by how much they make the others wait longer")
	}
}

func (v *stressFlags) declareLimits(f *flags) {
	f.add(&v.timedOut, "max-timed-out", "", "`N` clients at most may be left without an answer; -1 for any number")
	f.add(&v.dropped, "max-dropped", "", "`N` clients at most may meet a transport error on their last try; -1 for any number")
	f.add(&v.refused, "max-refused", "", "`N` clients at most may be refused other than as busy, rate-limited or expired, for a name that is taken say; -1 for any number")
	f.add(&v.in, "min-in", "", "least `SHARE` of the clients, 0 to 1, who have to get in; with 0 it is one client")
	f.add(&v.firstAnswerP99, "max-first-answer", "", "`TIME` for the 99th percentile of the time to the first answer; 0 for any")
	f.add(&v.successP99, "max-success", "", "`TIME` for the 99th percentile of the time until a client is in; 0 for any")
	f.add(&v.linePromises, "line-promises", "", "what the line promises is a limit, too: the order, places, times told, logins with a ticket and, with --crowd, fairness; see docs/stress.md")
	f.add(&v.probeP99, "max-probe", "", "`TIME` for the 99th percentile of what everyone else waits for the server; 0 for any")
	f.add(&v.tickP99, "max-tick", "", "`TIME` for the 99th percentile of the lateness of ticks; 0 for any")
	switch v.scenario {
	case report.LaunchDay:
		f.add(&v.goodput, "min-goodput", "", "least `SHARE` of the capacity, 0 to 1, that gets in during the peak")
	case report.ReconnectStorm:
		f.add(&v.gapP99, "max-gap", "", "`TIME` for the 99th percentile of the players' longest time without a snapshot, with --kill or --handover; 0 for any")
		f.add(&v.back, "max-back", "", "`TIME` until the last player has to be back, with --kill or --handover; 0 for any")
	case report.KnockFlood:
		f.add(&v.goodput, "min-goodput", "", "least `SHARE` of the capacity, 0 to 1, that gets in during the flood, knocks and honest clients together")
		f.add(&v.answered, "min-answered", "", "least `SHARE` of the knocks, 0 to 1, that have to be answered")
		f.add(&v.refusalP99, "max-refusal", "", "`TIME` for the 99th percentile of the age of the knocks' refusals; 0 for any")
	}
	f.add(&v.snapshots, "min-snapshots", "", "least `SHARE` of the snapshots, 0 to 1, that has to arrive, with --play")
}

func (v *stressFlags) config(ctx context.Context, progress io.Writer) (stress.Config, error) {
	cfg := stress.Config{
		Target: string(v.target), Admin: v.admin(), Scenario: v.scenario, Mode: report.Mode(v.mode.value),
		GiveUpShare: v.giveUp.value, GiveUpAfter: v.giveUpAfter.value,
		Sources: v.sources.value, Prefix: string(v.prefix), Password: string(v.password), MaxRetries: v.retries.value, Timeout: v.timeout.value,
		TryTimeout: v.tryTimeout.value, Settle: v.settle.value,
		Subject: report.Subject{
			Version: string(v.about.version), System: string(v.about.system), CPUs: v.about.cpus.value,
			Cores: v.about.cores.value, Store: string(v.about.store), Hash: string(v.about.hash),
		},
		Play: bool(v.play), WebSocket: bool(v.webSocket), Stay: v.stay.value, Duration: v.duration.value,
		KeepAlive: bool(v.keepAlive), InsecureTLS: bool(v.insecureTLS), Progress: progress, Terminal: isTerminal(progress),
		Limits: report.Limits{
			FirstAnswerP99: v.firstAnswerP99.value, SuccessP99: v.successP99.value, ProbeP99: v.probeP99.value, TickP99: v.tickP99.value,
			Goodput: v.goodput.value, In: v.in.value, Snapshots: v.snapshots.value, TimedOut: v.timedOut.value, Dropped: v.dropped.value,
			Refused: v.refused.value, Line: bool(v.linePromises),
		},
		Line: stress.LineMode(v.line.value), KnockAddr: string(v.knockAddr), ShareDocument: bool(v.lineShare), Crowd: v.crowd.value,
	}
	v.arrivals(&cfg)
	if v.scenario == report.KnockFlood {
		if err := v.flood(&cfg); err != nil {
			return cfg, err
		}
	}
	if v.kill != "" && v.handover != "" {
		return cfg, usagef("--kill and --handover are two different runs")
	}
	if v.scenario == report.Mixed && cfg.Mix == (stress.Mix{}) { // which would mean the default
		return cfg, usagef("of --register, --login, --wrong-password and --malformed one has to be above 0")
	}
	if bool(v.tls) && strings.HasPrefix(cfg.Target, "http://") {
		cfg.Target = "https" + strings.TrimPrefix(cfg.Target, "http")
	}
	if cfg.MaxRetries == 0 {
		cfg.MaxRetries = math.MinInt // the flag's zero means none
	}
	if v.kind.value != v.kind.among[0] {
		cfg.Adapter = adapter.Config{Kind: adapter.Kind(v.kind.value), Key: string(v.serverKey)}
		if v.adminURL == "" {
			cfg.Admin = "" // it would be that of some other server
		}
	}
	var err error
	if cfg.Adapter.OperatorToken, err = v.token(ctx); err != nil {
		return cfg, err
	}
	cfg.RootCAs, err = v.authorities()
	return cfg, err
}

// maxTokenFile bounds the file of an operator's token, in bytes.
const maxTokenFile = 4 << 10

// token returns the operator's token of the server; empty if there is none.
func (v *stressFlags) token(ctx context.Context) (string, error) {
	if v.operatorToken == "" {
		return "", nil
	}
	if v.kind.value != string(adapter.PocketBase) {
		return "", usagef("--server-token-file: it is for --server %s", adapter.PocketBase)
	}
	data, _, err := readAtMost(ctx, string(v.operatorToken), maxTokenFile)
	if err != nil {
		return "", fmt.Errorf("--server-token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", usagef("--server-token-file %s: it does not hold a token", v.operatorToken)
	}
	return token, nil
}

// arrivals fills in what only some scenarios have.
func (v *stressFlags) arrivals(cfg *stress.Config) {
	switch v.scenario {
	case report.Burst:
		cfg.Clients = v.clients.value
	case report.Ramp:
		cfg.Clients, cfg.Rate = v.clients.value, v.rate.value
	case report.ReconnectStorm:
		cfg.Clients, cfg.Rate, cfg.DropBy = v.clients.value, v.rate.value, stress.DropBy(v.dropBy.value)
		v.outage(cfg)
	case report.Poisson:
		cfg.Rate, cfg.Length = v.rate.value, v.length.value
	case report.Mixed:
		cfg.Rate, cfg.Length = v.rate.value, v.length.value
		cfg.Mix = stress.Mix{
			Register: v.register.value, Login: v.login.value, WrongPassword: v.wrong.value, Malformed: v.malformed.value,
		}
	case report.LaunchDay:
		cfg.Peak, cfg.Capacity = v.peak.value, v.capacity.value
		cfg.RampUp, cfg.Length, cfg.Decay = max(v.rampUp.value, 1), v.length.value, max(v.decay.value, 1) // 0 would mean the default
	}
}

// outage fills in what takes the server away from the players, if the run does.
func (v *stressFlags) outage(cfg *stress.Config) {
	cfg.Limits.GapP99, cfg.Limits.Back = v.gapP99.value, v.back.value
	switch {
	case v.kill != "":
		cfg.Outage = stress.Outage{Kind: report.OutageKill, Command: string(v.kill), Watch: v.watch.value}
	case v.handover != "":
		cfg.Outage = stress.Outage{Kind: report.OutageHandOver, Command: string(v.handover), Watch: v.watch.value}
	default:
		return
	}
	cfg.DropBy, cfg.Play = stress.DropByServer, true
}

// flood fills in what only scenario flood has.
func (v *stressFlags) flood(cfg *stress.Config) error {
	cfg.Length, cfg.Rate, cfg.Capacity = v.length.value, v.rate.value, v.capacity.value
	cfg.Limits.Answered, cfg.Limits.RefusalP99 = v.answered.value, v.refusalP99.value
	cfg.Knocks = stress.Knocks{
		PerSecond: v.knocks.value, Times: v.times.value, Mode: report.Mode(v.knockMode.value), Patience: v.patience.value,
		Before: v.before.value,
	}
	if v.knockSources == "" {
		return nil
	}
	var err error
	if cfg.Knocks.Sources, err = netip.ParsePrefix(string(v.knockSources)); err != nil {
		return usagef("--knock-sources: %w", err)
	}
	return nil
}

func (v *stressFlags) authorities() (*x509.CertPool, error) {
	if v.ca == "" {
		return nil, nil
	}
	pem, _, err := smallfile.Read(string(v.ca), maxSettingsFile)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificate authorities: %w", errors.New("no certificate in "+string(v.ca)))
	}
	return pool, nil
}

// admin returns the URL of the admin listener to ask, or "" for none.
func (v *stressFlags) admin() string {
	switch {
	case v.adminURL == "none":
		return ""
	case v.adminURL != "":
		return string(v.adminURL)
	}
	u, err := url.Parse(string(v.target))
	if err != nil {
		return ""
	}
	if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && a.IsLoopback() {
		return "http://" + server.DefaultAdminAddr
	}
	return ""
}
