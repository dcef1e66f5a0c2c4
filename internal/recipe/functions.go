package recipe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/md4" //nolint:staticcheck // what NTLM is made of
	"golang.org/x/crypto/scrypt"
)

// The most that the parameters of a slow hash may ask for; [MaxCost] bounds what they come to.
const (
	maxIterations   = 10_000_000
	maxKey          = 256 // bytes
	maxBcryptCost   = 14
	maxPHPassCost   = 16
	maxCryptRounds  = 1_000_000
	maxCryptText    = 512     // bytes of a password that phpass and the crypts of Unix take again and again
	maxArgonMemory  = 1 << 17 // KiB
	maxArgonPasses  = 16
	maxArgonThreads = 16
	maxScryptMemory = 1 << 27 // bytes
)

const loopName = "loop"

// function is one that recipes can call.
type function struct {
	name  string
	about string
	args  []arg
	cost  func(numbers []int) time.Duration // nil for what costs next to nothing
	make  func(args [][]byte, numbers []int) []byte
	size  func(n *[]node) int // nil: it depends
	whole func(numbers []int) error
}

// arg is an argument: bytes, of a length if that is not 0, or a number from low to high.
type arg struct {
	name      string
	number    bool
	low, high int
	length    int
}

func bytesArg(name string) arg            { return arg{name: name} }
func exactly(name string, length int) arg { return arg{name: name, length: length} }
func numberArg(name string, low, high int) arg {
	return arg{name: name, number: true, low: low, high: high}
}

// check tells whether the arguments of a bound call are what the function takes.
func (f *function) check(parts []node) error {
	for i, a := range f.args {
		switch p := &parts[i]; {
		case a.number != (p.kind == number):
			return invalid("the argument %s of %s is of the wrong kind", a.name, f.name)
		case a.number && (p.n < a.low || p.n > a.high):
			return invalid("the argument %s of %s is %d, not from %d to %d", a.name, f.name, p.n, a.low, a.high)
		case a.length > 0 && p.size() != a.length:
			return invalid("the argument %s of %s has not %d bytes", a.name, f.name, a.length)
		}
	}
	if f.whole != nil {
		return f.whole(numbers(parts))
	}
	return nil
}

// length returns how long the result of a call is, -1 if that depends on the password.
func (f *function) length(parts []node) int {
	if f.size == nil {
		return -1
	}
	return f.size(&parts)
}

// Functions returns a line for each function: how it is called, and what it makes.
func Functions() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		f := functions[name]
		var names []string
		for _, a := range f.args {
			names = append(names, a.name)
		}
		lines = append(lines, fmt.Sprintf("%s(%s)\t%s", name, strings.Join(names, ", "), f.about))
	}
	return lines
}

var functions = map[string]*function{}

func init() {
	for _, all := range [][]*function{digests, encodings, texts, slowHashes, groups} {
		for _, f := range all {
			functions[f.name] = f
		}
	}
}

func always(n int) func(*[]node) int { return func(*[]node) int { return n } }

// lastNumber is the size of what has its length as the last argument.
func lastNumber(parts *[]node) int {
	n := numbers(*parts)
	return n[len(n)-1]
}

// times is the size of what is so many times as long as its first argument.
func times(n int) func(*[]node) int {
	return func(parts *[]node) int {
		if size := (*parts)[0].size(); size >= 0 {
			return n * size
		}
		return -1
	}
}

func flat(d time.Duration) func([]int) time.Duration { return func([]int) time.Duration { return d } }

// one is a function of one value.
func one(name, about string, size func(*[]node) int, cost func([]int) time.Duration, f func([]byte) []byte) *function {
	return &function{
		name: name, about: about, args: []arg{bytesArg("x")}, cost: cost, size: size,
		make: func(args [][]byte, _ []int) []byte { return f(args[0]) },
	}
}

// algorithm is a hash function, and what a block costs.
type algorithm struct {
	name  string
	new   func() hash.Hash
	size  int
	block time.Duration
}

var algorithms = []algorithm{
	{"md5", md5.New, md5.Size, 130 * time.Nanosecond},
	{"sha1", sha1.New, sha1.Size, 130 * time.Nanosecond},
	{"sha224", sha256.New224, sha256.Size224, 150 * time.Nanosecond},
	{"sha256", sha256.New, sha256.Size, 150 * time.Nanosecond},
	{"sha384", sha512.New384, sha512.Size384, 400 * time.Nanosecond},
	{"sha512", sha512.New, sha512.Size, 400 * time.Nanosecond},
	{"sha3_224", func() hash.Hash { return sha3.New224() }, 28, 600 * time.Nanosecond},
	{"sha3_384", func() hash.Hash { return sha3.New384() }, 48, 600 * time.Nanosecond},
}

// digests are the hash functions, their HMAC (RFC 2104) and their PBKDF2 (RFC 8018).
var digests = func() (all []*function) {
	for _, a := range algorithms {
		sum := func(b []byte) []byte {
			h := a.new()
			h.Write(b)
			return h.Sum(nil)
		}
		all = append(all,
			one(a.name, "the hash", always(a.size), flat(2*a.block), sum),
			&function{
				name: "hmac_" + a.name, about: "HMAC of x under a key", args: []arg{bytesArg("key"), bytesArg("x")},
				size: always(a.size), cost: flat(8 * a.block),
				make: func(args [][]byte, _ []int) []byte {
					mac := hmac.New(a.new, args[0])
					mac.Write(args[1])
					return mac.Sum(nil)
				},
			},
			&function{
				name: "pbkdf2_" + a.name, about: "PBKDF2 with HMAC of that hash",
				args: []arg{
					bytesArg("x"), bytesArg("salt"), numberArg("iterations", 1, maxIterations), numberArg("length", 1, maxKey),
				},
				size: lastNumber,
				cost: func(n []int) time.Duration {
					return time.Duration(n[0]) * time.Duration((n[1]+a.size-1)/a.size) * 2 * a.block
				},
				make: func(args [][]byte, n []int) []byte {
					key, err := pbkdf2.Key(a.new, string(args[0]), args[1], n[0], n[1])
					if err != nil {
						panic("recipe: PBKDF2 refuses arguments in range: " + err.Error())
					}
					return key
				},
			})
		if !strings.HasPrefix(a.name, "sha3_") {
			all = append(all, repeatFunction(a))
		}
	}
	return append(all, one("md4", "the hash", always(md4.Size), flat(300*time.Nanosecond), func(b []byte) []byte {
		h := md4.New()
		h.Write(b)
		return h.Sum(nil)
	}))
}()

// repeatFunction is a hash that is made again of what was made, with more behind it.
func repeatFunction(a algorithm) *function {
	return &function{
		name: "repeat_" + a.name, about: "the hash of x, and all rounds but the first the hash of the last one and more",
		args: []arg{bytesArg("x"), bytesArg("more"), numberArg("rounds", 1, maxCryptRounds)}, size: always(a.size),
		cost: func(n []int) time.Duration { return time.Duration(n[0]) * 2 * a.block },
		make: func(args [][]byte, n []int) []byte {
			h := a.new()
			h.Write(args[0])
			sum, more := h.Sum(nil), cryptText(args[1])
			for range n[0] - 1 {
				h.Reset()
				h.Write(sum)
				h.Write(more)
				sum = h.Sum(sum[:0])
			}
			return sum
		},
	}
}

var encodings = []*function{
	one("hex", "lower-case hexadecimal", times(2), nil, func(b []byte) []byte { return hex.AppendEncode(nil, b) }),
	one("upperhex", "upper-case hexadecimal", times(2), nil, func(b []byte) []byte {
		return []byte(strings.ToUpper(hex.EncodeToString(b)))
	}),
	{
		name: "hexint", about: "x as a hexadecimal number of as many digits as needed, digits at the least",
		args: []arg{bytesArg("x"), numberArg("digits", 1, 2*maxKey)},
		make: func(args [][]byte, n []int) []byte {
			digits := strings.TrimLeft(hex.EncodeToString(args[0]), "0")
			return []byte(strings.Repeat("0", max(n[0]-len(digits), 0)) + digits)
		},
	},
	one("base64", "base64 with padding", base64Size, nil, func(b []byte) []byte {
		return base64.StdEncoding.AppendEncode(nil, b)
	}),
	one("reverse", "the bytes from the last to the first", times(1), nil, func(b []byte) []byte {
		b = slices.Clone(b)
		slices.Reverse(b)
		return b
	}),
	{
		name: "cut", about: "the first bytes, or all if there are fewer",
		args: []arg{bytesArg("x"), numberArg("bytes", 1, 1024)},
		size: func(parts *[]node) int {
			size := (*parts)[0].size()
			if n := lastNumber(parts); size >= n {
				return n
			}
			return size
		},
		make: func(args [][]byte, n []int) []byte { return args[0][:min(len(args[0]), n[0])] },
	},
	{
		name: "aes256_ctr", about: "x encrypted by AES-256 in counter mode from zero",
		args: []arg{exactly("key", 32), bytesArg("x")}, cost: flat(time.Microsecond),
		size: func(parts *[]node) int { return (*parts)[1].size() },
		make: func(args [][]byte, _ []int) []byte {
			block, err := aes.NewCipher(args[0])
			if err != nil {
				panic("recipe: AES refuses a key of 32 bytes: " + err.Error())
			}
			out := make([]byte, len(args[1]))
			cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, args[1])
			return out
		},
	},
	{
		name: loopName, about: "made again and again, \"it\" being what the round before made, and start at first",
		args: []arg{numberArg("rounds", 1, 64), bytesArg("round"), bytesArg("start")},
		size: func(parts *[]node) int { return (*parts)[1].size() },
	},
}

func base64Size(parts *[]node) int {
	if size := (*parts)[0].size(); size >= 0 {
		return base64.StdEncoding.EncodedLen(size)
	}
	return -1
}

var slowHashes = []*function{
	bcryptFunction("bcrypt", "the 23 bytes of bcrypt", always(bcryptLen), bcryptSum),
	bcryptFunction("bcrypt_2x", "those of the bcrypt of PHP before 5.3.7, which took characters for signed",
		always(bcryptLen), func(x, salt []byte, cost int) []byte { return bcryptRaw(signedKey(x), salt, cost) }),
	bcryptFunction("bcrypt_text", "the 60 characters of bcrypt, with $2a$", always(60), bcryptText),
	argonFunction("argon2i", argon2.Key),
	argonFunction("argon2id", argon2.IDKey),
	{
		name: "scrypt", about: "scrypt with N = 2^log2n",
		args: []arg{
			bytesArg("x"), bytesArg("salt"), numberArg("log2n", 1, 20), numberArg("r", 1, 64), numberArg("p", 1, 16),
			numberArg("length", 1, maxKey),
		},
		size: lastNumber,
		cost: func(n []int) time.Duration {
			return time.Duration(1<<n[0]) * time.Duration(n[1]*n[2]) * 400 * time.Nanosecond
		},
		whole: func(n []int) error {
			if 128*n[1]<<n[0] > maxScryptMemory {
				return invalid("scrypt with more than %d bytes of memory", maxScryptMemory)
			}
			return nil
		},
		make: func(args [][]byte, n []int) []byte {
			key, err := scrypt.Key(args[0], args[1], 1<<n[0], n[1], n[2], n[3])
			if err != nil {
				panic("recipe: scrypt refuses arguments in range: " + err.Error())
			}
			return key
		},
	},
	phpassFunction("phpass", "phpass of WordPress and phpBB, over MD5", algorithms[0]),
	phpassFunction("phpass_sha512", "phpass of Drupal 7, over SHA-512", algorithms[5]),
	{
		name: "descrypt", about: "the 8 bytes of the DES-based crypt of Unix", size: always(8),
		args: []arg{bytesArg("x"), exactly("salt", 2)}, cost: flat(25 * desCost),
		make: func(args [][]byte, _ []int) []byte { return desCrypt(args[0], string(args[1])) },
	},
	{
		name: "bsdicrypt", about: "the 8 bytes of the DES-based crypt of BSD/OS", size: always(8),
		args: []arg{bytesArg("x"), exactly("salt", 4), numberArg("rounds", 1, 1<<24-1)},
		cost: func(n []int) time.Duration { return time.Duration(n[0]) * desCost },
		make: func(args [][]byte, n []int) []byte { return bsdiCrypt(cryptText(args[0]), string(args[1]), n[0]) },
	},
	{
		name: "sha1crypt", about: "the 20 bytes of the crypt of NetBSD that begins with $sha1$", size: always(20),
		args: []arg{bytesArg("x"), bytesArg("salt"), numberArg("rounds", 1, maxCryptRounds)},
		cost: func(n []int) time.Duration { return time.Duration(n[0]) * 2 * algorithms[1].block },
		make: func(args [][]byte, n []int) []byte { return sha1Crypt(args[0], args[1], n[0]) },
	},
	{
		name: "md5crypt", about: "the 16 bytes of the MD5-based crypt of Unix; magic is $1$ or $apr1$", size: always(16),
		args: []arg{bytesArg("x"), bytesArg("salt"), bytesArg("magic")}, cost: flat(300 * time.Microsecond),
		make: func(args [][]byte, _ []int) []byte { return md5Crypt(cryptText(args[0]), args[1], args[2]) },
	},
	shaCryptFunction("sha256crypt", algorithms[3]),
	shaCryptFunction("sha512crypt", algorithms[5]),
	{
		name: "mysql323", about: "the 8 bytes of PASSWORD() of MySQL before 4.1", size: always(8),
		args: []arg{bytesArg("x")}, cost: flat(time.Microsecond),
		make: func(args [][]byte, _ []int) []byte { return mysql323(args[0]) },
	},
}

// desCost is what a block of DES costs.
const desCost = 500 * time.Nanosecond

func cryptText(b []byte) []byte { return b[:min(len(b), maxCryptText)] }

func bcryptFunction(name, about string, size func(*[]node) int, f func(x, salt []byte, cost int) []byte) *function {
	return &function{
		name: name, about: about, size: size,
		args: []arg{bytesArg("x"), exactly("salt", bcryptSaltLen), numberArg("cost", 4, maxBcryptCost)},
		cost: func(n []int) time.Duration { return 50 * time.Microsecond << n[0] },
		make: func(args [][]byte, n []int) []byte { return f(args[0], args[1], n[0]) },
	}
}

func argonFunction(
	name string, f func(x, salt []byte, passes, memory uint32, threads uint8, length uint32) []byte,
) *function {
	return &function{
		name: name, about: "Argon2 1.3 with so much memory in KiB",
		args: []arg{
			bytesArg("x"), bytesArg("salt"), numberArg("passes", 1, maxArgonPasses), numberArg("memory", 8, maxArgonMemory),
			numberArg("threads", 1, maxArgonThreads), numberArg("length", 4, maxKey),
		},
		size: lastNumber,
		cost: func(n []int) time.Duration { return time.Duration(n[0]*n[1]) * time.Microsecond },
		whole: func(n []int) error {
			if n[1] < 8*n[2] { // RFC 9106 section 3.1
				return invalid("Argon2 with less than 8 KiB of memory for a thread")
			}
			return nil
		},
		make: func(args [][]byte, n []int) []byte {
			return f(args[0], args[1], uint32(n[0]), uint32(n[1]), uint8(n[2]), uint32(n[3]))
		},
	}
}

func phpassFunction(name, about string, a algorithm) *function {
	return &function{
		name: name, about: about, size: always(a.size),
		args: []arg{bytesArg("x"), exactly("salt", 8), numberArg("log2rounds", 7, maxPHPassCost)},
		cost: func(n []int) time.Duration { return a.block << n[0] },
		make: func(args [][]byte, n []int) []byte { return phpass(a.new, cryptText(args[0]), args[1], n[0]) },
	}
}

func shaCryptFunction(name string, a algorithm) *function {
	return &function{
		name: name, about: "the bytes of the SHA-2-based crypt of Unix", size: always(a.size),
		args: []arg{bytesArg("x"), bytesArg("salt"), numberArg("rounds", 1000, maxCryptRounds)},
		cost: func(n []int) time.Duration { return time.Duration(n[0]) * 2 * a.block },
		make: func(args [][]byte, n []int) []byte { return shaCrypt(a, cryptText(args[0]), args[1], n[0]) },
	}
}
