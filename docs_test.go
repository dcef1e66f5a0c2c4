package rushgate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
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

// The map shows every folder with code, and nothing that is not there.
func TestArchitectureNamesEveryFolder(t *testing.T) {
	b, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(b), -1) {
		named[m[1]] = true
	}
	for folder := range goFolders(t) {
		if !named[folder] {
			t.Errorf("%s is not named", folder)
		}
	}
	root := os.DirFS(".")
	for name := range named {
		name = strings.TrimSuffix(name, "/")
		first, _, nested := strings.Cut(name, "/")
		if _, err := fs.Stat(root, first); err != nil && path.Ext(name) != ".go" || !nested && path.Ext(name) == "" {
			continue // not a path
		}
		if _, err := fs.Stat(root, name); err != nil {
			t.Errorf("%s is named, but is not there", name)
		}
	}
}

// importLayers returns where each package stands in the map's list of layers: the lower, the greater.
func importLayers(t *testing.T) map[string]int {
	t.Helper()
	b, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n## Which way imports point\n")
	_, rest, _ = strings.Cut(rest, "```text\n")
	block, _, _ := strings.Cut(rest, "```")
	layers := make(map[string]int)
	for line := range strings.Lines(block) {
		layer := len(layers)
		for folder := range strings.SplitSeq(strings.TrimSpace(line), " · ") {
			if folder == "rushgate" {
				folder = "."
			}
			layers[folder] = layer
		}
	}
	return layers
}

// No package imports one beside it, or above it.
func TestImportsPointDown(t *testing.T) {
	const module = "github.com/rushgate/rushgate"
	layers := importLayers(t)
	for folder, names := range goFolders(t) {
		layer, ok := layers[folder]
		if !ok {
			t.Errorf("%s has no place in the map", folder)
			continue
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path.Join(folder, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
				imported = path.Join(".", imported[min(1, len(imported)):])
				if below, ok := layers[imported]; ours && (!ok || below <= layer) {
					t.Errorf("%s imports %s, which is not below it in the map", path.Join(folder, name), imported)
				}
			}
		}
	}
}

// markdown returns all documents of the repository, but for those of modules that npm has put there.
func markdown(t *testing.T) (documents []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "node_modules" || name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && path.Ext(name) == ".md":
			documents = append(documents, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// A link within the repository leads to a file, and to a heading if it names one.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, document := range markdown(t) {
		b, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, heading, _ := strings.Cut(m[1], "#")
			file := document
			if target != "" {
				file = filepath.Join(filepath.Dir(document), filepath.FromSlash(target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere", document, m[1])
			} else if heading != "" && !slices.Contains(headings(t, file), heading) {
				t.Errorf("%s: the link %s names a heading that is not there", document, m[1])
			}
		}
	}
}

// headings returns the names by which links refer to the headings of a document, as GitHub makes them.
func headings(t *testing.T, file string) (names []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(string(b)) {
		if text := strings.TrimLeft(line, "#"); text != line {
			text = dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			names = append(names, strings.ReplaceAll(text, " ", "-"))
		}
	}
	return names
}
