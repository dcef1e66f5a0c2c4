package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each piece of Go in docs/embedding.md is a piece of this folder.
func TestDocumentedCodeIsThis(t *testing.T) {
	document, err := os.ReadFile("../../docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range append(files, "../dot/main.go") { // with which it begins
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString("\n")
		code.Write(b)
	}
	pieces := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllSubmatch(document, -1)
	if len(pieces) == 0 {
		t.Fatal("the document has no Go in it")
	}
	for _, p := range pieces {
		// From the beginning of a line, so that indentation counts.
		if !strings.Contains(code.String(), "\n"+string(p[1])) {
			t.Errorf("this is in the document only:\n%s", p[1])
		}
	}
}
