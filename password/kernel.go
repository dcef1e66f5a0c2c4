package password

import "github.com/rushgate/rushgate/internal/pbkdf2x"

// Kernels returns the names that [Config.Kernel] may have, "auto" among them; not all of them are supported by every
// CPU.
func Kernels() []string { return pbkdf2x.Names() }

// Kernel returns the name of the kernel that a batch of n, 1 or more, begins with. The first call measures the kernels
// and takes some milliseconds, if a batch has not done so before.
func (h *Hasher) Kernel(n int) string { return h.kernel.Choice(n) }
