package admin

import "runtime"

// Process is what the operating system says of this process.
type Process struct {
	RSSBytes   int64   `json:"rss_bytes"`   // resident memory now; 0 where it cannot be told
	CPUSeconds float64 `json:"cpu_seconds"` // user and system time since the start; 0 where it cannot be told
	Goroutines int     `json:"goroutines"`
	Cores      int     `json:"cores"` // GOMAXPROCS
}

// ReadProcess returns the present figures.
func ReadProcess() Process {
	return Process{
		RSSBytes:   residentBytes(),
		CPUSeconds: cpuSeconds(),
		Goroutines: runtime.NumGoroutine(),
		Cores:      runtime.GOMAXPROCS(0),
	}
}
