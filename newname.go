package rushgate

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/unicode/norm"
)

// maxMarks is how many nonspacing marks may follow each other in a name, which is what UTS #39 allows.
const maxMarks = 4

// NewUsername returns the canonical form of a name for a new player, as [ParseUsername] does, if it is not of a kind
// that serves to pass for another or to upset a page:
//
//   - of ASCII there are letters, digits, '-', '_' and '.' only, and a letter or digit is among the characters;
//   - all letters are of one script, or of those that Chinese, Japanese and Korean are written in together with Latin:
//     "highly restrictive" in UTS #39, section 5.2; and all digits are of one system;
//   - of marks that take no space, at most four follow each other, and none follows itself;
//   - it does not look like a word that speaks for the game, such as admin or system, whatever stands between its
//     letters.
//
// The error wraps [ErrInvalidUsername] and names the rule. Accounts that have such names already keep them, and an
// operator may make more. Whether it looks like the name of an account is for the store to say, see [Skeleton].
func NewUsername(s string) (string, error) {
	name, err := ParseUsername(s)
	if err != nil {
		return "", err
	}
	for _, rule := range []func(string) string{wrongCharacter, mixedScripts, mixedDigits, tooManyMarks, reserved} {
		if broken := rule(name); broken != "" {
			return "", fmt.Errorf("%w: %s", ErrInvalidUsername, broken)
		}
	}
	return name, nil
}

// Skeleton returns what all usernames have in common that can be taken for each other: the skeleton of UTS #39, of the
// canonical form if there is one. A store refuses to register a player whose name has the same skeleton as that of an
// account, or as a name that is held for another player. It is not empty if the name is not, is not for showing, and
// may change with the version of Unicode.
func Skeleton(username string) string {
	if canonical, err := ParseUsername(username); err == nil {
		username = canonical
	}
	if s := confusable.Skeleton(username); s != "" {
		return s
	}
	return username
}

func wrongCharacter(name string) string {
	for _, r := range name {
		if r < unicode.MaxASCII && !isASCIIAlphanumeric(r) && !strings.ContainsRune("-_.", r) {
			return "of ASCII it may have letters, digits, '-', '_' and '.' only"
		}
	}
	if !strings.ContainsFunc(name, isAlphanumeric) {
		return "it must have a letter or a digit"
	}
	return ""
}

func isASCIIAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isAlphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// together are the sets of scripts of which a name may mix letters.
var together = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Hangul"},
	{"Latin", "Han", "Bopomofo"},
}

func mixedScripts(name string) string {
	var scripts []string
	for _, r := range name {
		if s := scriptOf(r); s != "" && !slices.Contains(scripts, s) {
			scripts = append(scripts, s)
		}
	}
	if len(scripts) < 2 {
		return ""
	}
	for _, set := range together {
		if !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(set, s) }) {
			return ""
		}
	}
	return "its letters must be of one script, not of " + strings.Join(scripts, " and ")
}

// scriptOf returns the name of a character's script, or nothing if many scripts use it.
func scriptOf(r rune) string {
	if unicode.In(r, unicode.Latin, unicode.Common, unicode.Inherited) { // nearly always
		if unicode.Is(unicode.Latin, r) {
			return "Latin"
		}
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "" // newer than the tables
}

func mixedDigits(name string) string {
	zero := rune(-1)
	for _, r := range name {
		if !unicode.IsDigit(r) {
			continue
		}
		z := zeroOf(r)
		if zero >= 0 && z != zero {
			return "its digits must be of one system"
		}
		zero = z
	}
	return ""
}

// zeroOf returns the zero of a decimal digit's system. Unicode keeps the ten digits of each together; where several
// systems follow each other, as those of Mathematical Alphanumeric Symbols, a name can have none of them.
func zeroOf(r rune) rune {
	z := r
	for r-z < 9 && unicode.IsDigit(z-1) {
		z--
	}
	return z
}

func tooManyMarks(name string) string {
	n, last := 0, rune(-1)
	for _, r := range norm.NFD.String(name) {
		switch {
		case !unicode.In(r, unicode.Mn, unicode.Me):
			n = 0
		case n > 0 && r == last:
			return "a mark must not follow itself"
		default:
			if n++; n > maxMarks {
				return fmt.Sprintf("more than %d marks must not follow each other", maxMarks)
			}
		}
		last = r
	}
	return ""
}

// reservedWords speak for the game, or are what programs write where there is no name.
var reservedWords = func() map[string]bool {
	words := make(map[string]bool)
	for _, w := range strings.Fields(`
		admin admins administrator administrators administration sysadmin root superuser sudo owner operator operators
		moderator moderators mod mods gm gms gamemaster gamemasters developer developers
		system server rushgate security official staff team support helpdesk help service info
		announcement announcements notice broadcast everyone console
		abuse contact billing payment payments postmaster webmaster hostmaster noreply
		null nil none undefined unknown anonymous nobody deleted
		админ администратор администрация модератор система поддержка сервер
		管理员 管理員 管理者 系统 系統 系统管理员 官方 客服 客服中心 版主 运营 運営 公式 サポート システム 관리자 운영자 운영팀 공식`) {
		words[looks(w)] = true
	}
	return words
}()

func reserved(name string) string {
	if reservedWords[looks(name)] {
		return "it is reserved, or looks like a name that is"
	}
	return ""
}

// digitsAsLetters are the digits that are read as letters, and letters that are as good as another.
var digitsAsLetters = strings.NewReplacer("1", "i", "l", "i", "0", "o", "3", "e", "4", "a", "5", "s", "7", "t")

// looks returns what is left of a name when one only glances at it: no case, no separators, no marks, and digits that
// stand for letters read as those.
func looks(name string) string {
	s := confusable.Skeleton(strings.ToLower(confusable.Skeleton(name)))
	s = strings.Map(func(r rune) rune {
		if !isAlphanumeric(r) {
			return -1
		}
		return r
	}, s)
	return digitsAsLetters.Replace(s)
}
