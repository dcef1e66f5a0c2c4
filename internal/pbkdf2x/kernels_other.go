//go:build !amd64 || purego

package pbkdf2x

func vectorKernels() []*kernel { return nil }
