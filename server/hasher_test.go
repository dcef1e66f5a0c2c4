package server

import "testing"

// Two nodes in one process may compute hashes in different ways.
func TestEachNodeHasItsOwnHashKernel(t *testing.T) {
	one := &Server{cfg: Config{HashKernel: "portable"}}
	first, err := one.newHasher()
	if err != nil {
		t.Fatal(err)
	}
	two := &Server{cfg: Config{HashKernel: "auto"}}
	if _, err := two.newHasher(); err != nil {
		t.Fatal(err)
	}
	if got := first.Kernel(16); got != "portable" {
		t.Errorf("once a second node was there, the first one uses %s", got)
	}
}
