package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/rushgate/rushgate"
)

// console asks the operator, if there is a terminal, and otherwise reads what was piped in. Its methods return the
// context's error when that ends.
type console struct {
	in       *os.File
	prompts  io.Writer
	terminal bool
}

func newConsole(in *os.File, prompts io.Writer) *console {
	return &console{in: in, prompts: prompts, terminal: isTerminal(in)}
}

// newPassword returns a password that was typed twice, without echo, or one line of the input.
func (c *console) newPassword(ctx context.Context) (string, error) {
	if !c.terminal {
		line, err := c.readLine(ctx)
		if err == nil && line == "" {
			err = errors.New("there is no password on standard input")
		}
		return line, err
	}
	first, err := c.readSecret(ctx, "Password: ")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", errors.New("no password was typed")
	}
	again, err := c.readSecret(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords are not the same; nothing was changed")
	}
	return first, nil
}

// ask prints a question and returns the answer.
func (c *console) ask(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(c.prompts, prompt)
	return c.readLine(ctx)
}

func (c *console) readSecret(ctx context.Context, prompt string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	fd := int(c.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(c.prompts, prompt)
	defer fmt.Fprintln(c.prompts) // the line end that was typed is not shown either
	secret, err := await(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	if ctx.Err() != nil {
		return "", errors.Join(err, term.Restore(fd, before)) // or the shell would not show what is typed
	}
	return secret, err
}

// maxLine is more than any password or name has, so that one that is too long is told so by who knows the limit.
const maxLine = 4 * rushgate.MaxPasswordLen

// readLine returns a line without its end, LF or CRLF, which the last one may lack.
func (c *console) readLine(ctx context.Context) (string, error) {
	return await(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(c.in, maxLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("standard input: %w", err)
		}
		line = strings.TrimSuffix(line, "\n")
		return strings.TrimSuffix(line, "\r"), nil
	})
}

// await returns what read returns, or the context's error if that ends first. A read from a terminal, or from a pipe to
// which nobody writes, cannot be called off: it is then left to the end of the process, which is near.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		read T
		err  error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.read, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
