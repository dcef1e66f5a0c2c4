package password_test

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/rushgate/rushgate/password"
)

// A batch is worked through at once, which costs less than one password after the other on a CPU with wide registers.
func Example() {
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations}) // a real server takes more
	if err != nil {
		fmt.Println(err)
		return
	}
	registration := password.New("correct horse")
	hasher.Run(context.Background(), []*password.Job{&registration})
	if registration.Err != nil {
		fmt.Println(registration.Err)
		return
	}
	stored := registration.Hash // this is what a store keeps

	right, wrong := password.Verify("correct horse", stored), password.Verify("battery staple", stored)
	unknown := password.Decoy("whatever") // a login to an account that does not exist: it takes as long as the others
	hasher.Run(context.Background(), []*password.Job{&right, &wrong, &unknown})
	fmt.Println(right.Match, wrong.Match, unknown.Match)
	// Output: true false false
}

// Hashes made at a lower cost, or by another system, go on working; Rehash says that a login is the occasion to replace
// them.
func ExampleVerify() {
	cheap, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		fmt.Println(err)
		return
	}
	old := password.New("correct horse")
	cheap.Run(context.Background(), []*password.Job{&old})

	hasher, err := password.NewHasher(password.Config{Iterations: 2 * password.MinIterations})
	if err != nil {
		fmt.Println(err)
		return
	}
	login := password.Verify("correct horse", old.Hash)
	hasher.Run(context.Background(), []*password.Job{&login})
	fmt.Println("match:", login.Match)
	fmt.Println("rehash:", login.Rehash)
	// Output:
	// match: true
	// rehash: true
}

// Another system has stored the MD5 of passwords. What is stored here is a new hash of that, until the password is
// right for the first time.
func ExampleHarden() {
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		fmt.Println(err)
		return
	}
	old, err := hex.DecodeString("3cb4e732631f47e6eb961f34554b7cde") // of "correct horse"
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := password.Harden("md5(password)", old)
	if err != nil {
		fmt.Println(err)
		return
	}
	hasher.Run(context.Background(), []*password.Job{&job})

	login := password.Verify("correct horse", job.Hash)
	hasher.Run(context.Background(), []*password.Job{&login})
	fmt.Println(login.Match, login.Rehash)
	// Output: true true
}
