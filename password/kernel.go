package password

import "github.com/rushgate/rushgate/internal/pbkdf2x"

// Kernels returns the names of the ways in which keys can be derived, "auto" among them; not all of them are supported by
// every CPU.
func Kernels() []string { return pbkdf2x.Names() }

// UseKernel makes every [Hasher] of the process derive in one way, or with "auto", the default, in the one that is
// fastest for the batch. The error tells that there is no such kernel or that the CPU does not support it.
func UseKernel(name string) error { return pbkdf2x.Force(name) }

// KernelFor returns the name of the kernel that a batch of n begins with.
func KernelFor(n int) string { return pbkdf2x.Choice(n) }
