// Package textfile tells by how a file begins in what its text is written, where UTF-8 is expected: editors and shells
// of Windows put a mark before it, or write UTF-16.
package textfile

import (
	"bytes"
	"errors"
)

// Mark is the mark of the byte order that may stand before UTF-8 (Unicode section 23.8).
const Mark = "\ufeff"

// ErrUTF16 is the error for a text in UTF-16.
var ErrUTF16 = errors.New("a text in UTF-16, as > of PowerShell and some editors write it: have the program that " +
	"exports write the file itself, or make UTF-8 of it with iconv -f UTF-16 -t UTF-8")

// looked is how many bytes of a text without a mark are looked at.
const looked = 256

// Check returns ErrUTF16 if a file that begins with head is in UTF-16: with a mark of either byte order, or with NULs
// in the place of most of either every first or every second byte, and none in that of the others.
func Check(head []byte) error {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return ErrUTF16
	}
	head = head[:min(len(head), looked)&^1]
	var nuls [2]int
	for i, c := range head {
		if c == 0 {
			nuls[i%2]++
		}
	}
	pairs := len(head) / 2
	if pairs >= 2 && min(nuls[0], nuls[1]) == 0 && 4*max(nuls[0], nuls[1]) > 3*pairs {
		return ErrUTF16
	}
	return nil
}

// Text returns what is in a file without a mark before it, or ErrUTF16.
func Text(b []byte) ([]byte, error) { return bytes.TrimPrefix(b, []byte(Mark)), Check(b) }
