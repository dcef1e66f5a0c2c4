package password

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/recipe"
)

// What begins the hashes of other systems that carry the recipe of what they are made of. The number is that of the
// form's version: a node that does not know it refuses such a hash as malformed, and leaves it as it is.
const (
	oldPrefix  = "$rg1old$"  // $rg1old$recipe$digest in hexadecimal
	overPrefix = "$rg1over$" // $rg1over$recipe$ and a hash of New, of what the recipe makes
)

const (
	// WeakBelow is what it takes to try a password against a hash of another system, by an estimate that is the same on
	// every machine, below which the hash is weaker than one of [DefaultIterations]: it had better not be stored as it is.
	WeakBelow = 30 * time.Millisecond
	// quick is what making the old digest may take for a hash to be verified in a batch with others. It does not yield.
	quick = 2 * time.Millisecond
	// maxOldDigest bounds what a recipe makes, in bytes.
	maxOldDigest = 512
)

// oldHash is the hash of another system, with the recipe of how it is made of a password.
type oldHash struct {
	recipe *recipe.Recipe
	over   *pbkdf2Hash // of what the recipe makes; nil if digest is that
	digest []byte
}

func (h *oldHash) describe() (scheme, cost string) {
	of := strings.Join(h.recipe.Primitives(), " of ")
	if of == "" {
		of = "a changed form"
	}
	if h.over == nil {
		return of, fmt.Sprintf("some %v", h.recipe.Cost().Round(100*time.Microsecond))
	}
	scheme, cost = h.over.describe()
	return scheme + " of " + of, cost
}

// slow reports whether verifying takes long before PBKDF2 begins, if it does.
func (h *oldHash) slow() bool { return h.over == nil || h.recipe.Cost() >= quick }

// parseOld reads what [Keep] and [Harden] have made.
func parseOld(s string) (stored, error) {
	prefix := oldPrefix
	if strings.HasPrefix(s, overPrefix) {
		prefix = overPrefix
	}
	text, rest, ok := strings.Cut(s[len(prefix):], "$")
	if !ok {
		return nil, malformed("a recipe without what it makes")
	}
	r, err := recipe.ParseStored(text)
	if err != nil {
		return nil, malformed(err.Error())
	}
	h := &oldHash{recipe: r}
	if prefix == overPrefix {
		over, err := parsePBKDF2(rest)
		if err != nil {
			return nil, err
		}
		if h.over = over.(*pbkdf2Hash); h.over.legacy {
			return nil, malformed("no iterations over a recipe")
		}
		return h, nil
	}
	if len(rest) == 0 || len(rest) > 2*maxOldDigest {
		return nil, malformed(fmt.Sprintf("a digest not of 1 to %d bytes", maxOldDigest))
	}
	if h.digest, err = decodeHex(rest, len(rest)/2); err != nil {
		return nil, malformed("digest " + err.Error())
	}
	return h, h.fits(len(h.digest))
}

// fits checks that the recipe can make a digest of a size: one that cannot would lock its player out.
func (h *oldHash) fits(size int) error {
	if made := h.recipe.Size(); made >= 0 && made != size {
		return malformed("a digest of another size than the recipe makes")
	}
	return nil
}

func newOldHash(text string, digest []byte) (*oldHash, error) {
	r, err := recipe.ParseStored(text)
	if err != nil {
		return nil, malformed(err.Error())
	}
	if len(digest) == 0 || len(digest) > maxOldDigest {
		return nil, malformed(fmt.Sprintf("a digest not of 1 to %d bytes", maxOldDigest))
	}
	h := &oldHash{recipe: r}
	return h, h.fits(len(digest))
}

// Keep returns the stored form of another system's hash: the digest, and the recipe of how that is made of a password,
// as docs/import.md describes recipes. It is for hashes that take long to try, see [WeakBelow]; others go through
// [Harden]. The error wraps [ErrMalformedHash].
func Keep(recipe string, digest []byte) (string, error) {
	h, err := newOldHash(recipe, digest)
	if err != nil {
		return "", err
	}
	return oldPrefix + h.recipe.String() + "$" + hex.EncodeToString(digest), nil
}

// Harden is a job that hashes another system's digest as [New] hashes a password, so that it is not stored. What it
// makes is verified like any other hash: the recipe makes the digest of the password first. The error wraps
// [ErrMalformedHash].
func Harden(recipe string, digest []byte) (Job, error) {
	h, err := newOldHash(recipe, digest)
	if err != nil {
		return Job{}, err
	}
	return Job{kind: jobHarden, password: string(digest), stored: overPrefix + h.recipe.String() + "$"}, nil
}

// digests makes the old digest of a password by each reading of the recipe, and lets others run after each.
func (h *oldHash) digests(password string) []string {
	all := make([]string, 0, h.recipe.Readings())
	for i := range h.recipe.Readings() {
		all = append(all, string(h.recipe.Make(i, password)))
		runtime.Gosched()
	}
	return all
}
