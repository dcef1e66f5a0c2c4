package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

var errLua = errors.New("the file does not return a table of Lua")

// maxFiles is the greatest number of files of a folder.
const maxFiles = 16 << 20

// readLua visits the files of a folder as Prosody keeps it: NAME.dat, of which each returns a table of Lua, and whose
// name has %xx for most of what is not a letter or a digit. The name is the value "file".
func readLua(ctx context.Context, folder string, visit func(Row) bool) error {
	names, err := os.ReadDir(folder) // sorted
	if err != nil {
		return err
	}
	for i, entry := range names {
		encoded, ok := strings.CutSuffix(entry.Name(), ".dat")
		if !ok || !entry.Type().IsRegular() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > maxFiles {
			return fmt.Errorf("the folder has more than %d files", maxFiles)
		}
		row := Row{Line: i + 1, Done: int64(i + 1)}
		row.Values, row.Err = luaFile(filepath.Join(folder, entry.Name()))
		if name, err := url.PathUnescape(encoded); err != nil {
			row.Err = errors.Join(row.Err, errors.New("the file's name is not one of Prosody"))
		} else if row.Values != nil {
			row.Values["file"] = name
		}
		if !visit(row) {
			return nil
		}
	}
	return nil
}

func luaFile(path string) (map[string]any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, MaxRowLen+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxRowLen {
		return nil, errRow
	}
	return parseLua(string(b))
}

// parseLua reads return { ["name"] = value; … }; of which the values are texts, numbers, booleans or tables, which are
// left out.
func parseLua(s string) (map[string]any, error) {
	p := &luaParser{s}
	if !p.take("return") || !p.take("{") {
		return nil, errLua
	}
	values, err := p.table(0)
	if err != nil {
		return nil, err
	}
	if p.take(";"); p.rest() != "" {
		return nil, errLua
	}
	return values, nil
}

type luaParser struct{ s string }

func (p *luaParser) rest() string {
	p.s = strings.TrimLeft(p.s, " \t\r\n")
	for strings.HasPrefix(p.s, "--") && !strings.HasPrefix(p.s, "--[") {
		_, after, _ := strings.Cut(p.s, "\n")
		p.s = strings.TrimLeft(after, " \t\r\n")
	}
	return p.s
}

// take takes a token, if it is next.
func (p *luaParser) take(token string) bool {
	var ok bool
	p.s, ok = strings.CutPrefix(p.rest(), token)
	return ok
}

// table reads a table after its bracket.
func (p *luaParser) table(depth int) (map[string]any, error) {
	const deepest = 16
	values := map[string]any{}
	for !p.take("}") {
		key, err := p.key()
		if err != nil || depth > deepest {
			return nil, errLua
		}
		if p.take("{") {
			if _, err := p.table(depth + 1); err != nil {
				return nil, err
			}
		} else if v, err := p.value(); err != nil {
			return nil, err
		} else if key != "" {
			values[key] = v
		}
		if !p.take(";") && !p.take(",") && !strings.HasPrefix(p.rest(), "}") {
			return nil, errLua
		}
	}
	return values, nil
}

// key reads what stands before a value: ["name"] = or name =, or nothing in a list.
func (p *luaParser) key() (string, error) {
	if p.take("[") {
		key, err := p.value()
		if err != nil || !p.take("]") || !p.take("=") {
			return "", errLua
		}
		return key, nil
	}
	before := p.s
	if w := p.word(); w != "" && p.take("=") {
		return w, nil
	}
	p.s = before
	return "", nil
}

func (p *luaParser) word() string {
	s := p.rest()
	n := 0
	for n < len(s) && (wordByte(s[n]) || s[n] == '.' || s[n] == '-' || s[n] == '+') {
		n++
	}
	p.s = s[n:]
	return s[:n]
}

// value reads a text, a number or a boolean.
func (p *luaParser) value() (string, error) {
	s := p.rest()
	if s == "" || s[0] != '"' {
		w := p.word()
		if _, err := strconv.ParseFloat(w, 64); err != nil && w != "true" && w != "false" {
			return "", errLua
		}
		return w, nil
	}
	var out []byte
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			p.s = s[i+1:]
			return string(out), nil
		case '\\':
			c, n := luaEscape(s[i+1:])
			if n == 0 {
				return "", errLua
			}
			out = append(out, c)
			i += n
		default:
			out = append(out, s[i])
		}
	}
	return "", errLua
}

// luaEscape reads what follows a backslash: the byte that it stands for, and how many bytes that took.
func luaEscape(s string) (c byte, n int) {
	if s == "" {
		return 0, 0
	}
	code := 0
	for n < 3 && n < len(s) && digit(s[n]) {
		code = 10*code + int(s[n]-'0')
		n++
	}
	switch {
	case n > 0 && code < 256:
		return byte(code), n
	case n > 0:
		return 0, 0
	}
	if i := strings.IndexByte("abfnrtv", s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v"[i], 1
	}
	return s[0], 1
}
