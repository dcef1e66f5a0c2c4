package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
)

// pastRun is a run whose accounts may still be there.
type pastRun struct {
	Target   string    `json:"target"`
	Admin    string    `json:"admin,omitempty"` // where they can be deleted; empty: not known
	Prefix   string    `json:"prefix"`
	Accounts int       `json:"accounts"` // players who registered, from PREFIX-000001 on
	In       int       `json:"in"`       // of them, let in: the others may have no account
	At       time.Time `json:"at"`
}

// pastRuns are those of this user, oldest first, in a file of the user's cache folder.
type pastRuns struct {
	path string
	runs []pastRun
}

const (
	maxPastRuns     = 100
	maxPastRunsFile = 1 << 20 // bytes
)

// errNoRun says that no run is known that made accounts to log in to.
var errNoRun = errors.New("no run with --mode register against this target is known here; make one first, or name the " +
	"--prefix of its accounts")

// loadPastRuns reads what is known of earlier runs, which is nothing where there is no such file.
func loadPastRuns() (*pastRuns, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	p := &pastRuns{path: filepath.Join(dir, "rushgate", "stress-runs.json")}
	file, err := readAll(p.path, maxPastRunsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	} else if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(bytes.NewReader(file.data)).Decode(&p.runs); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return p, nil
}

// last returns the last run against a target that made accounts.
func (p *pastRuns) last(target string) (pastRun, error) {
	for _, r := range slices.Backward(p.runs) {
		if r.Target == target && r.In > 0 {
			return r, nil
		}
	}
	return pastRun{}, errNoRun
}

// add notes a run, in place of an earlier one of the same accounts.
func (p *pastRuns) add(r pastRun) error {
	p.forget(r.Target, r.Prefix)
	p.runs = append(p.runs, r)
	p.runs = p.runs[max(0, len(p.runs)-maxPastRuns):]
	return p.save()
}

// forget drops the runs of a prefix against a target.
func (p *pastRuns) forget(target, prefix string) {
	p.runs = slices.DeleteFunc(p.runs, func(r pastRun) bool { return r.Target == target && r.Prefix == prefix })
}

// save writes the file, whole or not at all.
func (p *pastRuns) save() error {
	data, err := json.MarshalIndent(p.runs, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(p.path), "stress-runs-")
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // half of it at most
	}
	return err
}

// freshPrefix returns a prefix that no run has had, in letters of which none can be taken for another.
func freshPrefix() string {
	const letters = "bcdfghjkmpqtvwxz"
	b := []byte("s-----")
	for i := 1; i < len(b); i++ {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// choosePrefix has a run make accounts of its own, or log in to those of the last one, unless the operator has chosen.
// Where earlier runs cannot be known, problem says why, and the run can only make accounts of its own.
func choosePrefix(cfg *stress.Config, runs *pastRuns, problem error, progress io.Writer) error {
	switch {
	case cfg.Prefix != "":
		return nil
	case cfg.Mode != report.Login || cfg.Scenario == report.Mixed:
		cfg.Prefix = freshPrefix()
		return nil
	case problem != nil:
		return usagef("--mode login: earlier runs are not known (%w); name the --prefix of the accounts", problem)
	}
	r, err := runs.last(cfg.Target)
	if err != nil {
		return usagef("--mode login: %w", err)
	}
	cfg.Prefix = r.Prefix
	switch {
	case cfg.Clients > r.Accounts:
		return usagef("--mode login: the last run was of %d players, too few for --clients %d", r.Accounts, cfg.Clients)
	case r.In < r.Accounts:
		fmt.Fprintf(progress, "of the %d players of the last run %d got in; those without an account will be refused\n",
			r.Accounts, r.In)
	}
	return nil
}

// noteRun notes a run before it begins, and once more when it is over: others may begin and end meanwhile.
func noteRun(cfg *stress.Config, rep *report.Report) error {
	p, err := loadPastRuns()
	if err != nil {
		return err
	}
	r := pastRun{Target: cfg.Target, Prefix: cfg.Prefix, At: time.Now().UTC().Truncate(time.Second)}
	if i := slices.IndexFunc(p.runs, func(r pastRun) bool { return r.Target == cfg.Target && r.Prefix == cfg.Prefix }); i >= 0 {
		r.Accounts, r.In, r.Admin = p.runs[i].Accounts, p.runs[i].In, p.runs[i].Admin
	}
	if rep != nil && rep.AdminURL() != "" { // only then is it known to be of the target
		r.Admin = rep.AdminURL()
	}
	if rep != nil && cfg.Mode == report.Register && cfg.Scenario != report.Mixed {
		r.Accounts, r.In = max(r.Accounts, rep.Clients), max(r.In, rep.OK) // what an earlier run has made is there
	}
	return p.add(r)
}
