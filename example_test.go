package rushgate_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
)

// A refusal carries its reason, and when to ask again. What caused it is for the log: a player never sees it.
func ExampleRefusal() {
	var err error = &rushgate.Refusal{
		Reason: rushgate.ServerBusy, RetryAfter: 7 * time.Second, Cause: errors.New("the queue is full"),
	}
	err = fmt.Errorf("login: %w", err)

	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok && errors.Is(err, rushgate.ServerBusy) {
		fmt.Println("come back in", refusal.RetryAfter)
	}
	fmt.Println(rushgate.ReasonOf(err))
	fmt.Println(rushgate.ReasonOf(errors.New("anything else")))
	// Output:
	// come back in 7s
	// server-busy
	// internal-error
}

// Names that differ only in case or width are one name.
func ExampleParseUsername() {
	for _, typed := range []string{"Alice", "ＡＬＩＣＥ", "al"} {
		name, err := rushgate.ParseUsername(typed)
		fmt.Printf("%q %v\n", name, err)
	}
	// Output:
	// "alice" <nil>
	// "alice" <nil>
	// "" invalid username: it must have 3 to 32 characters, of which two are enough if each fills two columns
}
