package protocol

import (
	"encoding/binary"
	"math"

	"github.com/rushgate/rushgate"
)

// Intent is the message of a client: what the player wants, and what the client has seen.
type Intent struct {
	// Seq counts the client's intents from 1, and again from 1 after 2^32-1, since 0 stands for none. Of two the [Newer]
	// one holds; what comes late is ignored. [ParseIntent] does not refuse 0.
	Seq uint32
	// Ack is the tick of the newest snapshot decoded, 0 for none.
	Ack uint32
	rushgate.Intent
}

// moveScale is what a full component of the direction stands for on the wire.
const moveScale = math.MaxInt16

// AppendIntent appends the message to dst, at most 25 bytes. A direction with a component beyond ±1 is shortened until
// it has none, and keeps its angle; components are rounded to 1/32767. One that is not finite becomes 0.
func AppendIntent(dst []byte, in Intent) []byte {
	dst = append(dst, Version, byte(KindIntent))
	dst = binary.LittleEndian.AppendUint32(dst, in.Seq)
	dst = binary.LittleEndian.AppendUint32(dst, in.Ack)
	x, y := finite(in.MoveX), finite(in.MoveY)
	longest := max(math.Abs(x), math.Abs(y), 1)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(fixedMove(x/longest)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(fixedMove(y/longest)))
	dst = append(dst, in.Action)
	return binary.AppendUvarint(dst, in.Target)
}

func finite(v float32) float64 {
	f := float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func fixedMove(v float64) int16 { return int16(math.RoundToEven(v * moveScale)) }

// ParseIntent reads a whole message. MoveX and MoveY lie within ±1; the direction may still be longer than 1. An error
// wraps [ErrMalformed] or [ErrVersion].
func ParseIntent(b []byte) (Intent, error) {
	var in Intent
	r := reader{b: b}
	r.header(KindIntent)
	in.Seq = r.u32("seq")
	in.Ack = r.u32("ack")
	in.MoveX = r.move("move x")
	in.MoveY = r.move("move y")
	in.Action = r.u8("action")
	in.Target = r.uvarint("target", math.MaxUint64)
	if err := r.end(); err != nil {
		return Intent{}, err
	}
	return in, nil
}

func (r *reader) move(field string) float32 {
	v := int16(r.u16(field))
	if v == math.MinInt16 {
		r.fail(field, "out of range")
	}
	return float32(v) / moveScale
}
