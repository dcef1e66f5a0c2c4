package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/stress/page"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const compareSynopsis = `Usage: rushgate stress compare [flags] A.json B.json

Puts the reports of two runs, which --json has written, side by side.`

func newStressCompare() *cobra.Command {
	return newReporter("compare", "put the reports of two runs side by side", compareSynopsis,
		"`FILE` for the comparison as one HTML page with charts", compare)
}

// newReporter returns a command that makes something of reports in files; html is the help of --html.
func newReporter(
	name, short, synopsis, html string, do func(files []string, htmlFile text, stdout io.Writer) error,
) *cobra.Command {
	var htmlFile text
	f := newFlags(synopsis)
	f.add(&htmlFile, "html", "", html)
	c := newCommand(name, short, f, func(_ context.Context, args []string, stdout, _ io.Writer) error {
		return do(args, htmlFile, stdout)
	})
	c.ValidArgsFunction = nil // files
	return c
}

// compare puts the reports in two files side by side.
func compare(files []string, htmlFile text, stdout io.Writer) error {
	if err := wantReports(files, 2); err != nil {
		return err
	}
	var err error
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

func newStressReport() *cobra.Command {
	return newReporter("report", "write the report of a run as an HTML page", reportSynopsis,
		"`FILE` to write; by default the report's name with .html", writeReport)
}

// writeReport writes the report in a file as an HTML page.
func writeReport(files []string, htmlFile text, stdout io.Writer) error {
	if err := wantReports(files, 1); err != nil {
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

// wantReports returns an error if that is not how many reports are named.
func wantReports(files []string, want int) error {
	switch {
	case len(files) == want:
		return nil
	case want == 1:
		return usagef("name 1 report, not %d", len(files))
	}
	return usagef("name %d reports, not %d", want, len(files))
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
