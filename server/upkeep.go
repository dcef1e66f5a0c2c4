package server

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/certificate"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/reload"
	"github.com/rushgate/rushgate/internal/tlsresume"
	"github.com/rushgate/rushgate/password"
)

// tendInterval is how often certificates are looked at for their end, and keys for their age.
const tendInterval = time.Hour

// lineInterval is how often the line before the door is moved when no client knocks.
const lineInterval = 250 * time.Millisecond

// upkeep keeps what a node has from files, and the keys of the line that it has from the store, in step with them, and
// looks after certificates that end and keys that are to be changed.
type upkeep struct {
	logger  *slog.Logger
	watcher *reload.Watcher
	ensure  func(now time.Time) error // makes the self-signed certificate anew before it ends; nil: there is none
	tickets *tlsresume.Keys           // nil: there are none
	line    *lineKeys                 // nil: there are none
	move    func()                    // moves the line before the door

	mu    sync.Mutex
	shown []shown
	told  map[string]string // by listener: the day that was last warned on, and which certificate of
	slow  string            // which certificate for players was last warned of because of its key

	stopOnce sync.Once
	stopped  chan struct{}
	running  sync.WaitGroup
}

func newUpkeep(logger *slog.Logger) *upkeep {
	return &upkeep{
		logger: logger, watcher: reload.New(logger), told: make(map[string]string), stopped: make(chan struct{}),
	}
}

// show has a certificate looked after.
func (u *upkeep) show(s shown) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shown = append(u.shown, s)
}

// certificates returns those that listeners show.
func (u *upkeep) certificates() []shown {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.shown)
}

// start looks at certificates now and every hour, and at files and the keys of the line, until stop.
func (u *upkeep) start() {
	u.warn(time.Now())
	u.watcher.Start()
	if u.line != nil {
		u.line.start()
	}
	u.running.Go(func() { every(lineInterval, u.stopped, func(time.Time) { u.move() }) })
	u.running.Go(func() { every(tendInterval, u.stopped, u.tend) })
}

func (u *upkeep) stop() {
	u.stopOnce.Do(func() { close(u.stopped) })
	u.watcher.Stop()
	if u.line != nil {
		u.line.stop()
	}
	u.running.Wait()
}

// tend makes the self-signed certificate anew before it ends, which the watcher then finds, changes keys of TLS session
// tickets when it is time, and warns of certificates.
func (u *upkeep) tend(now time.Time) {
	if u.ensure != nil {
		if err := u.ensure(now); err != nil {
			u.logger.Error("the self-signed certificate could not be looked after", "error", err)
		}
	}
	if u.tickets != nil {
		u.tickets.Tend(now)
	}
	u.warn(now)
}

// warn tells the log of certificates that end soon, or have ended, or are not valid yet, once a day each, and once of
// those that make handshakes costly.
func (u *upkeep) warn(now time.Time) {
	for _, s := range u.certificates() {
		leaf := s.leaf()
		if leaf == nil {
			continue
		}
		u.warnOfKey(s.listener, leaf)
		day := now.UTC().Format(time.DateOnly) + certificate.Fingerprint(leaf)
		u.mu.Lock()
		told := u.told[s.listener] == day
		u.told[s.listener] = day
		u.mu.Unlock()
		until := leaf.NotAfter.UTC().Format(time.RFC3339)
		switch err := certificate.Valid(leaf, now); {
		case told:
		case errors.Is(err, certificate.ErrExpired):
			u.logger.Error("the certificate has expired, and clients refuse it", "listener", s.listener, "until", until)
		case errors.Is(err, certificate.ErrNotYet):
			u.logger.Error("the certificate is not valid yet, and clients refuse it", "listener", s.listener,
				"from", leaf.NotBefore.UTC().Format(time.RFC3339))
		case leaf.NotAfter.Sub(now) < certificate.Warning:
			u.logger.Warn("the certificate expires soon", "listener", s.listener, "until", until,
				"days", int(leaf.NotAfter.Sub(now)/(24*time.Hour)))
		}
	}
}

// warnOfKey tells the log of a certificate for players that makes the handshakes of a rush costly. The operator's few
// handshakes may cost what they like.
func (u *upkeep) warnOfKey(listener string, leaf *x509.Certificate) {
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || listener != players {
		return
	}
	which := certificate.Fingerprint(leaf)
	u.mu.Lock()
	told := u.slow == which
	u.slow = which
	u.mu.Unlock()
	if !told {
		u.logger.Warn("the certificate has an RSA key, with which a TLS handshake costs several times the CPU of one with "+
			"ECDSA P-256; \"rushgate account calibrate\" tells how much here", "listener", listener, "bits", key.N.BitLen())
	}
}

// notices are what the dashboard says of all this.
func (u *upkeep) notices(now time.Time) (all []admin.Notice) {
	for _, s := range u.certificates() {
		all = append(all, s.notice(now))
	}
	var last time.Time
	for _, o := range u.watcher.Outcomes() {
		if o.Err != nil {
			all = append(all, admin.Notice{Bad: true, Text: "The " + o.Name + " in its file could not be used at " +
				o.Time.UTC().Format("15:04 UTC") + "; the one before stays in use. The log says why."})
		} else if o.Time.After(last) {
			last = o.Time
		}
	}
	if !last.IsZero() {
		at := last.UTC().Format("2 January 15:04 UTC")
		all = append(all, admin.Notice{Text: "Files were last read again on " + at + "."})
	}
	return all
}

// notice is what the dashboard says of a certificate.
func (s shown) notice(now time.Time) admin.Notice {
	const layout = "2 January 2006 15:04 UTC"
	leaf := s.leaf()
	if leaf == nil {
		return admin.Notice{Text: "The listener for " + s.listener + " has no certificate yet.", Bad: true}
	}
	what, until := "The certificate of the listener for "+s.listener, leaf.NotAfter.UTC().Format(layout)
	switch err := certificate.Valid(leaf, now); {
	case errors.Is(err, certificate.ErrExpired):
		return admin.Notice{Text: what + " expired on " + until + ".", Bad: true}
	case errors.Is(err, certificate.ErrNotYet):
		return admin.Notice{Text: what + " is valid only from " + leaf.NotBefore.UTC().Format(layout) + " on.", Bad: true}
	default:
		return admin.Notice{Text: what + " lasts until " + until + ".", Bad: leaf.NotAfter.Sub(now) < certificate.Warning}
	}
}

// metrics are the figures of all this for Prometheus.
func (u *upkeep) metrics(out metric.Scrape) {
	for _, o := range u.watcher.Outcomes() {
		good, at := 1.0, 0.0
		if o.Err != nil {
			good = 0
		}
		if !o.Time.IsZero() {
			at = float64(o.Time.Unix())
		}
		out.Gauge("rushgate_reload_successful", "Whether what a file held could be used when it was last read.",
			good, "what", o.Name)
		out.Gauge("rushgate_reload_timestamp_seconds", "When a file was last read again, in Unix time; 0: never.",
			at, "what", o.Name)
	}
	for _, s := range u.certificates() {
		end := 0.0
		if leaf := s.leaf(); leaf != nil {
			end = float64(leaf.NotAfter.Unix())
		}
		out.Gauge("rushgate_certificate_expiry_timestamp_seconds",
			"When the certificate of a listener expires, in Unix time; 0: there is none yet.", end, "listener", s.listener)
	}
}

// Reload has the node read again what it has read from files: certificates, the pepper, the keys of the realtime
// channel, the operator's token. What cannot be used is told in the log, and the one before stays in use; the error
// says what it was. Connections and sessions go on. The node does the same by itself within a few seconds after a file
// has changed. Reload may be called from many goroutines.
//
// A pepper that is no longer in its file is kept until the node ends, for the hashes that name it. A browser that the
// operator has logged in with another token has to log in again.
func (s *Server) Reload() error {
	err := s.upkeep.watcher.Reload()
	s.cfg.Logger.Info("files were read again", "all", err == nil)
	return err
}

// watchSecrets has the pepper, the keys of the realtime channel and the operator's token read again when their files
// change. before has what the files looked like before they were first read.
func (s *Server) watchSecrets(before secrets, token *admin.Token) {
	s.watchMail(before.mail)
	s.watchProviders(before.providers)
	w := s.upkeep.watcher
	if file := s.cfg.PepperFile; file != "" {
		w.Add(reload.Subject{Name: "pepper", Files: []string{file}, Load: s.reloadPepper}, before.pepper)
	}
	if s.opaque != nil && (s.cfg.Backend != Memory || s.cfg.OpaqueKeyFile != "") {
		files := []string{s.cfg.opaqueFile()}
		w.Add(reload.Subject{Name: "keys of OPAQUE", Files: files, Load: s.reloadOpaque}, before.opaque)
	}
	if s.channel != nil && s.cfg.Backend != Memory {
		w.Add(reload.Subject{Name: "keys", Files: []string{s.cfg.keysFile()}, Load: func() (bool, error) {
			return s.channel.reloadKeys(s.cfg.keysFile())
		}}, before.keys)
	}
	if file := s.cfg.AdminTokenFile; file != "" {
		w.Add(reload.Subject{Name: "admin token", Files: []string{file}, Load: func() (bool, error) {
			next, err := admin.LoadToken(file)
			if err != nil {
				return false, err
			}
			return token.Replace(next), nil
		}}, before.token)
	}
}

func (c Config) keysFile() string { return filepath.Join(c.DataDir, KeysName) }

// secrets are what the files with secrets look like.
type secrets struct{ pepper, keys, token, mail, opaque, providers reload.Seen }

func lookAtSecrets(c Config) (s secrets) {
	if c.PepperFile != "" {
		s.pepper = reload.Look(c.PepperFile)
	}
	if c.AdminTokenFile != "" {
		s.token = reload.Look(c.AdminTokenFile)
	}
	if c.SMTPPasswordFile != "" {
		s.mail = reload.Look(c.SMTPPasswordFile)
	}
	s.keys = reload.Look(c.keysFile())
	s.opaque = reload.Look(c.opaqueFile())
	s.providers = reload.Look(c.providerFiles()...)
	return s
}

// reloadPepper reads the file of peppers again.
func (s *Server) reloadPepper() (changed bool, err error) {
	next, err := password.LoadPepper(s.cfg.PepperFile)
	if err != nil {
		return false, err
	}
	changed, kept, err := s.hasher.RenewPepper(next)
	if changed && len(kept) > 0 {
		s.cfg.Logger.Warn("peppers that are no longer in the file are kept until the node ends, for their hashes",
			"file", s.cfg.PepperFile, "ids", kept)
	}
	return changed, err
}
