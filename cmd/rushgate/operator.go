package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
)

var operatorSynopsis = `Usage: rushgate operator COMMAND [flags]

Says who may look after the game, and how far: each operator has a name, a role and a token. With the token
"rushgate admin", the dashboard and the API of the admin listener let the operator in, on every node of the store.

` + explainRoles() + `
`

func newOperator() *cobra.Command {
	return newGroup("operator", "say who may look after the game, and how far", operatorSynopsis,
		newOperatorAdd(),
		newOperatorList(),
		newOperatorRole(),
		newOperatorToken(),
		newOperatorRemove(),
	)
}

// employer is where operators are changed: a store of one's own, or a node that has it.
type employer interface {
	Add(ctx context.Context, name, role string) (token string, err error)
	List(ctx context.Context) ([]operatorLine, error)
	SetRole(ctx context.Context, name, role string) error
	Renew(ctx context.Context, name string) (token string, err error)
	Remove(ctx context.Context, name string) error
}

// operatorLine is an operator as the command line shows one. Its names in JSON are those of the admin listener.
type operatorLine struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// storeEmployer changes operators in a store.
type storeEmployer struct {
	book *operator.Book
	log  consoleLog
}

func (s *storeEmployer) Add(ctx context.Context, name, role string) (token string, err error) {
	r, err := operator.ParseRole(role)
	if err != nil {
		return "", err
	}
	e := audit.Entry{What: "operator.add", Detail: name + " as " + role}
	err = s.log.record(ctx, e, func() (err error) {
		token, err = s.book.Add(ctx, name, r, operator.Console)
		return err
	})
	return token, err
}

func (s *storeEmployer) List(ctx context.Context) ([]operatorLine, error) {
	all, err := s.book.List(ctx)
	lines := make([]operatorLine, len(all))
	for i, o := range all {
		lines[i] = operatorLine{o.Name, o.Role.String(), o.CreatedAt, o.CreatedBy}
	}
	return lines, err
}

func (s *storeEmployer) SetRole(ctx context.Context, name, role string) error {
	r, err := operator.ParseRole(role)
	if err != nil {
		return err
	}
	before, err := s.book.Find(ctx, name)
	if err != nil {
		return err
	}
	e := audit.Entry{What: "operator.role", Detail: fmt.Sprintf("%s from %v to %v", name, before.Role, r)}
	return s.log.record(ctx, e, func() error { return s.book.SetRole(ctx, name, r) })
}

func (s *storeEmployer) Renew(ctx context.Context, name string) (token string, err error) {
	if _, err := s.book.Find(ctx, name); err != nil {
		return "", err
	}
	err = s.log.record(ctx, audit.Entry{What: "operator.token", Detail: name}, func() (err error) {
		token, err = s.book.Renew(ctx, name)
		return err
	})
	return token, err
}

func (s *storeEmployer) Remove(ctx context.Context, name string) error {
	if _, err := s.book.Find(ctx, name); err != nil {
		return err
	}
	return s.log.record(ctx, audit.Entry{What: "operator.remove", Detail: name}, func() error {
		return s.book.Remove(ctx, name)
	})
}

// nodeEmployer has a node change operators.
type nodeEmployer struct{ *nodeClient }

func operatorPath(name, what string) string { return "/operators/" + url.PathEscape(name) + "/" + what }

func (n *nodeEmployer) Add(ctx context.Context, name, role string) (string, error) {
	var out struct{ Token string }
	err := n.post(ctx, "/operators", map[string]string{"name": name, "role": role}, &out)
	return out.Token, err
}

func (n *nodeEmployer) List(ctx context.Context) ([]operatorLine, error) {
	var out struct{ Operators []operatorLine }
	err := n.get(ctx, "/operators", &out)
	return out.Operators, err
}

func (n *nodeEmployer) SetRole(ctx context.Context, name, role string) error {
	return n.post(ctx, operatorPath(name, "role"), map[string]string{"role": role}, &operatorLine{})
}

func (n *nodeEmployer) Renew(ctx context.Context, name string) (string, error) {
	var out struct{ Token string }
	err := n.post(ctx, operatorPath(name, "token"), nothing{}, &out)
	return out.Token, err
}

func (n *nodeEmployer) Remove(ctx context.Context, name string) error {
	return n.postTwice(ctx, operatorPath(name, "remove"), &operatorLine{})
}

// operatorFlags are the settings of all operator commands; each declares those that it has.
type operatorFlags struct {
	where     whereFlags
	role      choice
	yes, json toggle
}

func newOperatorFlags() *operatorFlags {
	return &operatorFlags{where: newWhereFlags(), role: choice{"look", operator.Roles()}}
}

// with has a job done where operators are changed.
func (v *operatorFlags) with(ctx context.Context, create bool, job func(employer) error) error {
	return v.where.reach(ctx, create, func(store rushgate.Store) error {
		return job(&storeEmployer{operator.NewBook(store), newConsoleLog(store)})
	}, func(node *nodeClient) error { return job(&nodeEmployer{node}) })
}

// explainOperator says what an operator can do about an error.
func explainOperator(err error, name string) error {
	switch {
	case errors.Is(err, operator.ErrUnknown):
		return fmt.Errorf("there is no operator %q", name)
	case errors.Is(err, operator.ErrTaken):
		return fmt.Errorf("there already is an operator %q; \"rushgate operator token %s\" makes a new token", name, name)
	case errors.Is(err, operator.ErrLast):
		return fmt.Errorf("%w, who alone can add others: the first one needs --role all, and the last one keeps it", err)
	}
	return err
}

// operatorName returns the name of one operator, which the arguments besides the flags have to be.
func operatorName(args []string) (string, error) {
	switch len(args) {
	case 0:
		return "", usagef("name an operator")
	case 1:
	default:
		return "", usagef("unexpected argument after the name: one operator at a time")
	}
	if err := operator.CheckName(args[0]); err != nil {
		return "", usagef("%s: %w", quote(args[0]), err)
	}
	return args[0], nil
}

func newOperatorAdd() *cobra.Command {
	v := newOperatorFlags()
	f := newFlags(`Usage: rushgate operator add NAME --role ROLE [flags]

Adds an operator and prints the token, this once: it is kept nowhere. The first operator has to have the role all; from
then on a node asks for a token also on loopback, but for /metrics.

  umask 077; rushgate operator add anna --role all > anna.token
  rushgate operator add ben --role help --admin-token-file anna.token`)
	v.where.declare(f)
	f.add(&v.role, "role", "", "`ROLE` of the operator: look, help, run or all")
	return newCommand("add", "add an operator, and print the token", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			name, err := operatorName(args)
			if err != nil {
				return err
			}
			return v.with(ctx, true, func(e employer) error {
				token, err := e.Add(ctx, name, v.role.value)
				if err != nil {
					return explainOperator(err, name)
				}
				fmt.Fprintf(stderr, "added %s, who has the role %s; this is the token, shown only now:\n", name, v.role.value)
				_, err = fmt.Fprintln(stdout, token)
				return err
			})
		})
}

func newOperatorList() *cobra.Command {
	v := newOperatorFlags()
	f := newFlags(`Usage: rushgate operator list [flags]

Prints all operators, without their tokens.

  rushgate operator list`)
	v.where.declare(f)
	f.add(&v.json, "json", "", "print one JSON array")
	return newCommand("list", "print all operators", f, func(ctx context.Context, args []string, stdout, _ io.Writer) error {
		if err := f.none(args); err != nil {
			return err
		}
		return v.with(ctx, false, func(e employer) error {
			all, err := e.List(ctx)
			if err != nil {
				return err
			}
			if v.json {
				return json.NewEncoder(stdout).Encode(all)
			}
			w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
			for _, o := range all {
				fmt.Fprintf(w, "%s\t%s\tadded %s by %s\n", printable(o.Name), printable(o.Role),
					o.CreatedAt.Format(time.DateOnly), printable(o.CreatedBy))
			}
			return w.Flush()
		})
	})
}

func newOperatorRole() *cobra.Command {
	v := newOperatorFlags()
	f := newFlags(`Usage: rushgate operator role NAME ROLE [flags]

Gives an operator another role. What the operator had begun ends, and browsers have to log in again.

  rushgate operator role ben run`)
	v.where.declare(f)
	return newCommand("role", "give an operator another role", f,
		func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			if len(args) != 2 {
				return usagef("name an operator and a role: %s", anyOf(operator.Roles()))
			}
			name, err := operatorName(args[:1])
			if err != nil {
				return err
			}
			if _, err := operator.ParseRole(args[1]); err != nil {
				return usagef("%s is no role, want %s", quote(args[1]), anyOf(operator.Roles()))
			}
			return v.with(ctx, false, func(e employer) error {
				if err := e.SetRole(ctx, name, args[1]); err != nil {
					return explainOperator(err, name)
				}
				_, err := fmt.Fprintf(stdout, "%s has the role %s\n", name, args[1])
				return err
			})
		})
}

func newOperatorToken() *cobra.Command {
	v := newOperatorFlags()
	f := newFlags(`Usage: rushgate operator token NAME [flags]

Gives an operator a new token and prints it, this once. The one before is worth nothing within a second, on every node.

  rushgate operator token ben > ben.token`)
	v.where.declare(f)
	return newCommand("token", "give an operator a new token, and print it", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			name, err := operatorName(args)
			if err != nil {
				return err
			}
			return v.with(ctx, false, func(e employer) error {
				token, err := e.Renew(ctx, name)
				if err != nil {
					return explainOperator(err, name)
				}
				fmt.Fprintf(stderr, "this is the new token of %s, shown only now:\n", name)
				_, err = fmt.Fprintln(stdout, token)
				return err
			})
		})
}

func newOperatorRemove() *cobra.Command {
	v := newOperatorFlags()
	f := newFlags(`Usage: rushgate operator remove NAME [flags]

Removes an operator, who is out within a second, on every node. On a terminal the name has to be typed once more;
otherwise --yes is needed.

  rushgate operator remove ben
  rushgate operator remove ben --yes`)
	v.where.declare(f)
	f.add(&v.yes, "yes", "", "do not ask")
	return newCommand("remove", "remove an operator", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			name, err := operatorName(args)
			if err != nil {
				return err
			}
			if err := sure(ctx, bool(v.yes), "removes the operator "+name, name, stderr); err != nil {
				return err
			}
			return v.with(ctx, false, func(e employer) error {
				if err := e.Remove(ctx, name); err != nil {
					return explainOperator(err, name)
				}
				_, err := fmt.Fprintf(stdout, "removed %s\n", name)
				return err
			})
		})
}

// sure asks on the terminal for a name to be typed before something that cannot be undone, unless the command line says
// yes.
func sure(ctx context.Context, yes bool, what, name string, stderr io.Writer) error {
	if yes {
		return nil
	}
	in := newConsole(os.Stdin, stderr)
	if !in.terminal {
		return usagef("there is no terminal to ask on; give --yes to go on without being asked")
	}
	typed, err := in.ask(ctx, "This "+what+". Type the name to go on: ")
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != name {
		return errors.New("that is another name; nothing was done")
	}
	return nil
}
