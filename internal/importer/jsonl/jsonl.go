// Package jsonl reads files that have a JSON object on each line, twice: from front to back, and then line by line
// again where they were found.
package jsonl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rushgate/rushgate/internal/textfile"
)

// MaxLineLen is the greatest length of a line in bytes. Longer ones are refused.
const MaxLineLen = 256 << 10

// usualLineLen is what is read of a line at first: nearly always all of it.
const usualLineLen = 2 << 10

// ErrLineTooLong is what a line is refused for that is longer than [MaxLineLen].
var ErrLineTooLong = fmt.Errorf("a line of more than %d bytes", MaxLineLen)

// File is a file of lines. It is used by one goroutine at a time.
type File struct {
	f    *os.File
	size int64
	buf  []byte
}

// Line is a line of a file.
type Line struct {
	// Text is the line, which is the visitor's for the time of the call. Of one that is too long it is the beginning.
	Text []byte
	// At is where it begins in the file, Next where the next one does.
	At, Next int64
	// Number counts from 1.
	Number int
	// Err is nil or ErrLineTooLong.
	Err error
}

// Open opens a file. It must be a regular file, since it is read twice.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file, and could not be read twice", path)
	}
	s := &File{f: f, buf: make([]byte, usualLineLen)}
	if err == nil {
		s.size = info.Size()
		err = s.readable()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// readable returns an error for a file that is in UTF-16.
func (s *File) readable() error {
	n, err := s.f.ReadAt(s.buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := textfile.Check(s.buf[:n]); err != nil {
		return fmt.Errorf("%s is %w", s.f.Name(), err)
	}
	return nil
}

// Close closes the file.
func (s *File) Close() error { return s.f.Close() }

// Size returns how long the file was when it was opened, in bytes.
func (s *File) Size() int64 { return s.size }

// Scan visits all lines that are not blank, until visit returns an error, which it returns.
func (s *File) Scan(ctx context.Context, visit func(Line) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(s.f, 0, s.size), MaxLineLen)
	at, number := int64(0), 0
	for {
		text, n, err := readLine(r)
		if err != nil && !errors.Is(err, ErrLineTooLong) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if number++; number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || len(bytes.TrimSpace(text)) > 0 {
			if err := visit(Line{text, at, at + n, number, err}); err != nil {
				return err
			}
		}
		at += n
	}
}

// readLine returns a line, and how many bytes it takes in the file. With ErrLineTooLong it returns the beginning of the
// line, and reading may go on. The error is io.EOF at the end of the file.
func readLine(r *bufio.Reader) (line []byte, n int64, err error) {
	line, err = r.ReadSlice('\n')
	n = int64(len(line))
	if errors.Is(err, io.EOF) && n > 0 {
		return line, n, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, n, err
	}
	begin := bytes.Clone(line[:usualLineLen])
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		n += int64(len(line))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, n, err
	}
	return begin, n, ErrLineTooLong
}

// LineAt returns the line that begins at an offset, until the next call.
func (s *File) LineAt(at int64) ([]byte, error) {
	for {
		n, err := s.f.ReadAt(s.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if i := bytes.IndexByte(s.buf[:n], '\n'); i >= 0 {
			return s.buf[:i], nil
		}
		if n < len(s.buf) || len(s.buf) >= MaxLineLen {
			return s.buf[:n], nil
		}
		s.buf = make([]byte, 2*len(s.buf))
	}
}

// Name returns the path that the file was opened by.
func (s *File) Name() string { return s.f.Name() }
