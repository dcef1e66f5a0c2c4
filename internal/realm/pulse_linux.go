package realm

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pulse is a timer of the system, see timerfd_create(2).
type pulse struct {
	beats chan struct{} // holds one
	file  *os.File
	ended chan struct{}
}

// newPulse returns a pulse that beats once in every interval, or nil if the system refuses one: the runtime's timer
// alone will do.
func newPulse(interval time.Duration) *pulse {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	every := unix.NsecToTimespec(int64(interval))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		_ = unix.Close(fd) // nothing was written to it
		return nil
	}
	p := &pulse{beats: make(chan struct{}, 1), file: os.NewFile(uintptr(fd), "timerfd"), ended: make(chan struct{})}
	go p.run()
	return p
}

func (p *pulse) run() {
	defer close(p.ended)
	var expirations [8]byte
	for {
		if _, err := p.file.Read(expirations[:]); err != nil { // it was closed
			return
		}
		select {
		case p.beats <- struct{}{}:
		default:
		}
	}
}

func (p *pulse) stop() {
	_ = p.file.Close() // wakes the reader; nothing was written
	<-p.ended
}
