package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rushgate/rushgate/internal/stress/page"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const compareSynopsis = `Usage: rushgate stress compare [flags] A.json B.json

Puts the reports of two runs, which --json has written, side by side.`

func stressCompare(_ context.Context, args []string, stdout, _ io.Writer) error {
	var htmlFile text
	f := newFlags(compareSynopsis)
	f.add(&htmlFile, "html", "", "`FILE` for the comparison as one HTML page with charts")
	files, err := f.parseFiles(args, stdout, 2)
	if err != nil {
		return err
	}
	var reports [2]*report.Report
	for i, path := range files {
		if reports[i], err = readReport(path); err != nil {
			return err
		}
	}
	a, b := runNames(files[0], files[1])
	if htmlFile != "" {
		err := writePage(string(htmlFile), func(w io.Writer) error { return page.WriteComparison(w, reports[0], reports[1], a, b) })
		if err != nil {
			return err
		}
	}
	return report.WriteComparison(stdout, reports[0], reports[1], a, b)
}

// runNames returns short names for two files: without folders and ending, unless those are all that tells them apart.
func runNames(a, b string) (string, string) {
	short := func(s string) string { return strings.TrimSuffix(filepath.Base(s), ".json") }
	if short(a) == short(b) {
		return a, b
	}
	return short(a), short(b)
}

const reportSynopsis = `Usage: rushgate stress report [flags] A.json

Writes the report of a run, which --json has written, as one HTML page that opens without a network.`

func stressReport(_ context.Context, args []string, stdout, _ io.Writer) error {
	var htmlFile text
	f := newFlags(reportSynopsis)
	f.add(&htmlFile, "html", "", "`FILE` to write; by default the report's name with .html")
	files, err := f.parseFiles(args, stdout, 1)
	if err != nil {
		return err
	}
	report, err := readReport(files[0])
	if err != nil {
		return err
	}
	path := string(htmlFile)
	if path == "" {
		path = strings.TrimSuffix(files[0], ".json") + ".html"
	}
	if err := writePage(path, func(w io.Writer) error { return page.Write(w, report) }); err != nil {
		return err
	}
	fmt.Fprintln(stdout, path)
	return nil
}

// parseFiles parses a command line with so many files before, between or after the flags.
func (f *flags) parseFiles(args []string, stdout io.Writer, want int) ([]string, error) {
	var files []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, f.parse(args, stdout) // help, or the same error once more
		}
		if f.NArg() == 0 {
			break
		}
		files = append(files, f.Arg(0))
		args = f.Args()[1:]
	}
	if len(files) != want {
		reports := "reports"
		if want == 1 {
			reports = "report"
		}
		return nil, usagef("name %d %s, not %d", want, reports, len(files))
	}
	return files, nil
}

func readReport(path string) (*report.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	report, err := report.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return report, nil
}
