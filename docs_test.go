package rushgate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goFolders returns the folders with Go code, relative to the root and with slashes, and the names of their files.
func goFolders(t *testing.T) map[string][]string {
	t.Helper()
	folders := make(map[string][]string)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (name == "testdata" || name == "node_modules" || name[0] == '.'):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(name) == ".go":
			folder := path.Dir(filepath.ToSlash(file))
			folders[folder] = append(folders[folder], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// public reports whether others can import the package in a folder.
func public(folder string) bool {
	return !slices.Contains(strings.Split(folder, "/"), "internal") &&
		!strings.HasPrefix(folder, "cmd/") && !strings.HasPrefix(folder, "examples/")
}

// Each public package tells a newcomer what it is for, what of it may change, and shows it at work.
func TestPublicPackagesHaveATourAndAnExample(t *testing.T) {
	for folder, names := range goFolders(t) {
		if !public(folder) {
			continue
		}
		var doc string
		examples := 0
		for _, name := range names {
			f, err := parser.ParseFile(token.NewFileSet(), path.Join(folder, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, "_test.go") {
				doc += f.Doc.Text()
				continue
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Example") {
					examples++
				}
			}
		}
		if !strings.Contains(doc, "\n# Stability\n") {
			t.Errorf("%s: the package comment has no section on stability", folder)
		}
		if examples == 0 {
			t.Errorf("%s: there is no example", folder)
		}
	}
}
