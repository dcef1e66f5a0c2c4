package auth

import (
	"context"
	"errors"
)

// Freeze lets no further request knock at the door: those that come wait. It returns when all that came before have
// been answered. If ctx ends first, the pool goes on as if it had not been asked, and Freeze returns the context's
// error. Otherwise [Pool.Thaw] has to follow, or [Pool.Drain] or [Pool.Stop], by which those that wait hear
// [rushgate.ServerBusy].
func (p *Pool) Freeze(ctx context.Context) error { return errors.ErrUnsupported }

// Thaw ends what [Pool.Freeze] began: those that wait go on. It is idempotent.
func (p *Pool) Thaw() {}
