//go:build !unix

package smallfile

// atOnce is nothing where files are no pipes.
const atOnce = 0
