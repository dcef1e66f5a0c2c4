package redis

import (
	"context"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
)

// others is the word of a script that finds other credentials than those that are to be replaced; it answers with them.
const others = "others"

// Which argument of a script has the credentials that are replaced.
const (
	updateReplaces = 9
	admitReplaces  = 18
	saveReplaces   = 7
)

// exchange returns the arguments of a script that puts credentials in place of others, unless they are nil: that it
// shall, those that are replaced, and the new ones.
func exchange(credentials, replaces []rushgate.Credential) ([]string, error) {
	if credentials == nil {
		return []string{"", "", ""}, nil
	}
	old, err := credential.Marshal(replaces)
	if err != nil {
		return nil, err
	}
	list, err := credential.Marshal(credentials)
	return []string{"1", old, list}, err
}

// repeatOthers runs those commands once more that have found the very credentials that they replace, written
// otherwise: a script compares them as they are stored, and a tool, or a program to come, may put them in other words.
// The argument that has them is given. Credentials that cannot be read are damage.
func (s *Store) repeatOthers(
	ctx context.Context, commands []command, answers []answer, argument int, replaces func(int) []rushgate.Credential,
) error {
	var again []command
	var which []int
	for i := range answers {
		if answers[i].word != others {
			continue
		}
		stored := answers[i].text(0)
		there, err := credential.Unmarshal(stored)
		if err != nil {
			answers[i] = answer{word: damaged, err: damagedRecord(err)}
			continue
		}
		if slices.Equal(there, replaces(i)) {
			c := commands[i]
			c.args = slices.Clone(c.args)
			c.args[argument] = stored
			again, which = append(again, c), append(which, i)
		}
	}
	repeated, err := s.runScripts(ctx, again)
	if err != nil {
		return err
	}
	for i, of := range which {
		answers[of] = repeated[i]
	}
	return nil
}
