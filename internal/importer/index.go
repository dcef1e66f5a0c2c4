package importer

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/rushgate/rushgate"
)

// index is what the first pass remembers: enough to say which account goes with which character, and which records
// stand in each other's way, before anything is written. It takes about 100 bytes for an account and 24 for a
// character.
type index struct {
	accounts   []accountEntry
	characters []characterEntry
	highest    rushgate.PlayerID
	key        func(Ref) string // what the source calls a record
}

// accountEntry is an account of the first pass.
type accountEntry struct {
	stored    string // the name as the source has it
	name      string // the name that the account will have
	at        int64
	character rushgate.PlayerID // 0: none
	line      int32
	refused   bool
}

func (e *accountEntry) ref() Ref {
	return Ref{Kind: AccountRecord, Name: e.stored, At: e.at, Line: int(e.line)}
}

// characterEntry is a character of the first pass.
type characterEntry struct {
	id   rushgate.PlayerID
	at   int64
	line int32
}

func (e *characterEntry) ref() Ref {
	return Ref{Kind: CharacterRecord, ID: e.id, At: e.at, Line: int(e.line)}
}

// add takes up a record, or refuses it.
func (x *index) add(f *Found, r *Report) {
	r.rows = f.Rows
	switch f.Kind {
	case AccountRecord:
		r.Accounts++
	case CharacterRecord:
		r.Characters++
		x.highest = max(x.highest, f.ID) // it has been given out, whatever has become of the record
	case OtherRecord:
	}
	switch {
	case f.Err != nil:
		r.refuse(f.Key, f.Line, f.Cause, "%v", f.Err)
	case f.Kind == AccountRecord:
		r.count(f.Account.Kind)
		x.addAccount(f)
	case f.Kind == CharacterRecord:
		x.characters = append(x.characters, characterEntry{f.ID, f.At, int32(f.Line)})
	default:
		r.Ignored++
	}
}

func (x *index) addAccount(f *Found) {
	a := &f.Account
	x.highest = max(x.highest, a.Character)
	e := accountEntry{name: a.Name, at: f.At, character: a.Character, line: int32(f.Line)}
	if e.stored = f.Name; e.stored == a.Name {
		e.stored = a.Name // one string for both
	} else {
		e.stored = strings.Clone(e.stored)
	}
	x.accounts = append(x.accounts, e)
}

// refuse refuses a record that add has taken up.
func (x *index) refuse(r *Report, at Ref, cause Cause, format string, args ...any) {
	r.refuse(x.key(at), at.Line, cause, format, args...)
}

// settle finds the records that stand in each other's way and refuses all that cannot be told to be right. The result
// does not depend on the order of the records, but for two of the same key in a file: the first is taken. Accounts are
// left in the order of the source.
func (x *index) settle(repeats bool, r *Report) {
	x.settleKeys(repeats, r)
	x.settleNames(r)
	x.settleOwners(r)
	slices.SortFunc(x.accounts, func(a, b accountEntry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.stored, b.stored))
	})
	x.compareLooks(r)
}

// compareLooks lists the accounts whose names look like those of others. That is no reason to refuse them: they have
// been told apart where they come from.
func (x *index) compareLooks(r *Report) {
	type look struct {
		sum uint64 // of the skeleton
		at  int
	}
	seed := maphash.MakeSeed()
	var looks []look
	for i := range x.accounts {
		if e := &x.accounts[i]; !e.refused {
			looks = append(looks, look{maphash.String(seed, rushgate.Skeleton(e.name)), i})
		}
	}
	slices.SortFunc(looks, func(a, b look) int { return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(a.at, b.at)) })
	var alike [][2]int
	for i, first := 1, 0; i < len(looks); i++ {
		if looks[i].sum == looks[first].sum {
			alike = append(alike, [2]int{looks[i].at, looks[first].at})
		} else {
			first = i
		}
	}
	slices.SortFunc(alike, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	for _, both := range alike {
		r.alike(x.key(x.accounts[both[0]].ref()), x.key(x.accounts[both[1]].ref()))
	}
}

// settleKeys leaves one of several records with the same key.
func (x *index) settleKeys(repeats bool, r *Report) {
	slices.SortFunc(x.characters, func(a, b characterEntry) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.at, b.at))
	})
	x.characters = dropRepeated(x.characters,
		func(a, b *characterEntry) bool { return a.id == b.id },
		func(first, again *characterEntry) {
			if repeats {
				r.Characters--
			} else {
				x.refuse(r, again.ref(), DuplicateKey, "%s has the same key", r.where(first.line))
			}
		})
	// The names as stored are the keys; among those that count as the same the spelling of today comes first.
	slices.SortFunc(x.accounts, func(a, b accountEntry) int {
		if c := cmp.Compare(a.name, b.name); c != 0 {
			return c
		}
		if exact := a.stored == a.name; exact != (b.stored == b.name) {
			if exact {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.stored, b.stored), cmp.Compare(a.at, b.at))
	})
	x.accounts = dropRepeated(x.accounts,
		func(a, b *accountEntry) bool { return a.stored == b.stored },
		func(first, again *accountEntry) {
			if repeats {
				r.Accounts--
			} else {
				x.refuse(r, again.ref(), DuplicateKey, "%s has the same key", r.where(first.line))
			}
		})
}

// dropRepeated leaves the first of every run of equal entries, and tells of those that it drops.
func dropRepeated[E any](entries []E, equal func(a, b *E) bool, dropped func(first, again *E)) []E {
	kept := entries[:0]
	for i := range entries {
		if n := len(kept); n > 0 && equal(&kept[n-1], &entries[i]) {
			dropped(&kept[n-1], &entries[i])
			continue
		}
		kept = append(kept, entries[i])
	}
	return kept
}

// settleNames refuses all but the first of the accounts whose names count as the same; they are sorted by name.
func (x *index) settleNames(r *Report) {
	for i, first := 1, 0; i < len(x.accounts); i++ {
		if x.accounts[i].name != x.accounts[first].name {
			first = i
			continue
		}
		x.accounts[i].refused = true
		x.refuse(r, x.accounts[i].ref(), DuplicateName, "the name counts as the same as that of %+q, which goes before",
			x.key(x.accounts[first].ref()))
	}
}

// settleOwners refuses accounts whose character is not there or not theirs alone, and characters without an account.
func (x *index) settleOwners(r *Report) {
	slices.SortFunc(x.accounts, func(a, b accountEntry) int {
		return cmp.Or(cmp.Compare(a.character, b.character), cmp.Compare(a.at, b.at), cmp.Compare(a.stored, b.stored))
	})
	characters := x.characters
	for i := 0; i < len(x.accounts); {
		id := x.accounts[i].character
		end := i + 1
		for end < len(x.accounts) && x.accounts[end].character == id {
			end++
		}
		same := x.accounts[i:end]
		i = end
		if id == 0 {
			continue
		}
		for len(characters) > 0 && characters[0].id < id {
			x.refuse(r, characters[0].ref(), NoAccount, "no account that could be read has this character")
			characters = characters[1:]
		}
		found := len(characters) > 0 && characters[0].id == id
		if found {
			characters = characters[1:]
		}
		x.settleOwner(same, found, r)
	}
	for i := range characters {
		x.refuse(r, characters[i].ref(), NoAccount, "no account that could be read has this character")
	}
}

// settleOwner settles who of the accounts that have one character gets it.
func (x *index) settleOwner(accounts []accountEntry, found bool, r *Report) {
	claims := 0
	for i := range accounts {
		if !accounts[i].refused {
			claims++
		}
	}
	for i := range accounts {
		a := &accounts[i]
		switch {
		case a.refused:
		case !found:
			a.refused = true
			x.refuse(r, a.ref(), NoCharacter, "%s is not there", x.key(Ref{Kind: CharacterRecord, ID: a.character}))
		case claims > 1:
			a.refused = true
			x.refuse(r, a.ref(), SharedCharacter, "%d accounts have the character %d", claims, a.character)
		}
	}
}

// character returns where the character of an id is.
func (x *index) character(id rushgate.PlayerID) Ref {
	i, ok := slices.BinarySearchFunc(x.characters, id, func(e characterEntry, id rushgate.PlayerID) int {
		return cmp.Compare(e.id, id)
	})
	if !ok {
		return Ref{Kind: CharacterRecord, ID: id} // not of an account that settle has left
	}
	return x.characters[i].ref()
}
