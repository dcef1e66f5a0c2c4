package recipe

import (
	"fmt"
	"math/big"
	"time"
)

// group is one that SRP verifiers (RFC 2945) are made in: g^x modulo a prime.
type group struct {
	g, n *big.Int
	size int // of the prime in bytes
	cost time.Duration
}

func newGroup(g int64, size int, cost time.Duration, hexadecimal string) *group {
	n, ok := new(big.Int).SetString(hexadecimal, 16)
	if !ok || n.BitLen() != 8*size {
		panic(fmt.Sprintf("recipe: a prime that has not %d bytes", size))
	}
	return &group{big.NewInt(g), n, size, cost}
}

var (
	// warcraft is the group of the game accounts of World of Warcraft's servers.
	warcraft = newGroup(7, 32, 20*time.Microsecond, "894B645E89E1535BBDAD5B8B290650530801B18EBFBF5E8FAB3C82872A3E9BB7")
	// battlenet is that of their Battle.net accounts of version 1.
	battlenet = newGroup(2, 128, 300*time.Microsecond, "86A7F6DEEB306CE519770FE37D556F29944132554DED0BD68205E27F3231FEF5"+
		"A10108238A3150C59CAF7B0B6478691C13A6ACF5E1B5ADAFD4A943D4A21A142B800E8A55F8BFBAC700EB77A7235EE5A6"+
		"09E350EA9FC19F10D921C2FA832E4461B7125D38D254A0BE873DFC27858ACB3F8B9F258461E4373BC3A6C2A9634324AB")
	// rfc5054 is the 2048-bit group of RFC 5054.
	rfc5054 = newGroup(2, 256, 800*time.Microsecond, "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050"+
		"A37329CBB4A099ED8193E0757767A13DD52312AB4B03310DCD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3"+
		"661A05FBD5FAAAE82918A9962F0B93B855F97993EC975EEAA80D740ADBF4FF747359D041D5C33EA71D281E446B14773B"+
		"CA97B43A23FB801676BD207A436C6481F1D2B9078717461A5B9D32E688F87748544523B524B0D57D5EA77A2775D2ECFA"+
		"032CFBDBF52FB3786160279004E57AE6AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB6"+
		"94B5C803D89F7AE435DE236D525F54759B65E372FCD68EF20FA7111F9E4AFF73")
)

// groups are the functions of SRP. The bytes of x are a number with the highest byte first; so are those of the result,
// which has always as many as the prime.
var groups = []*function{
	warcraft.function("srp_256", "7^x in the group of World of Warcraft's servers", unsigned),
	battlenet.function("srp_1024", "2^x in the group of Battle.net accounts of version 1", unsigned),
	rfc5054.function("srp_2048", "2^x in the group of 2048 bits of RFC 5054", unsigned),
	rfc5054.function("srp_2048_signed", "the same of an x in two's complement, modulo the prime less one", signedFloor),
	rfc5054.function("srp_2048_abs", "the same of an x in two's complement, without its sign", signedAbs),
}

func (g *group) function(name, about string, read func(x []byte, n *big.Int) *big.Int) *function {
	return &function{
		name: name, about: about, args: []arg{bytesArg("x")}, size: always(g.size),
		cost: func([]int) time.Duration { return g.cost },
		make: func(args [][]byte, _ []int) []byte {
			return new(big.Int).Exp(g.g, read(args[0], g.n), g.n).FillBytes(make([]byte, g.size))
		},
	}
}

func unsigned(x []byte, _ *big.Int) *big.Int { return new(big.Int).SetBytes(x) }

// signed reads two's complement.
func signed(x []byte) *big.Int {
	i := new(big.Int).SetBytes(x)
	if len(x) > 0 && x[0]&0x80 != 0 {
		i.Sub(i, new(big.Int).Lsh(big.NewInt(1), uint(8*len(x))))
	}
	return i
}

// signedFloor returns x modulo n-1, which is not negative: what TrinityCore's BigNumber is to make of a remainder.
func signedFloor(x []byte, n *big.Int) *big.Int {
	i := signed(x)
	return i.Mod(i, new(big.Int).Sub(n, big.NewInt(1)))
}

// signedAbs returns the remainder that keeps the sign, without the sign: what a build makes whose exponentiation takes
// no notice of it.
func signedAbs(x []byte, n *big.Int) *big.Int {
	i := signed(x)
	return i.Abs(i.Rem(i, new(big.Int).Sub(n, big.NewInt(1))))
}
