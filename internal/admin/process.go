package admin

import (
	"runtime"
	"time"
)

// Process is what the operating system says of this process.
type Process struct {
	RSSBytes   int64   `json:"rss_bytes"`   // resident memory now; 0 where it cannot be told
	CPUSeconds float64 `json:"cpu_seconds"` // user and system time since the start; 0 where it cannot be told
	Goroutines int     `json:"goroutines"`
	Cores      int     `json:"cores"` // GOMAXPROCS
	// UptimeMS is what a rate is to be divided by: the time since the start, in milliseconds, of when CPUSeconds was read.
	UptimeMS float64 `json:"uptime_ms"`

	At time.Time `json:"-"` // when CPUSeconds was read
}

// begun is about when this process began.
var begun = time.Now()

// Uptime returns how long this process has been there at a time, in milliseconds.
func Uptime(at time.Time) float64 { return float64(at.Sub(begun)) / float64(time.Millisecond) }

// ReadProcess returns the present figures.
func ReadProcess() Process {
	p := Process{RSSBytes: residentBytes(), Goroutines: runtime.NumGoroutine(), Cores: runtime.GOMAXPROCS(0)}
	p.At = time.Now()
	p.CPUSeconds = cpuSeconds()
	p.UptimeMS = Uptime(p.At)
	return p
}
