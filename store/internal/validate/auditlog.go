package validate

import (
	"fmt"

	"github.com/rushgate/rushgate"
)

// Audit reports what keeps records from being added to the audit log. The error holds no data.
func Audit(data [][]byte) error {
	if n := len(data); n == 0 || n > rushgate.MaxAuditAppend {
		return fmt.Errorf("%d audit records at once, want 1 to %d", n, rushgate.MaxAuditAppend)
	}
	for i, d := range data {
		if len(d) == 0 || len(d) > rushgate.MaxAuditData {
			return fmt.Errorf("audit record %d of %d has %d bytes, want 1 to %d",
				i+1, len(data), len(d), rushgate.MaxAuditData)
		}
	}
	return nil
}

// Page reports a limit that a part of a list cannot have.
func Page(limit int) error {
	if limit < 1 || limit > rushgate.MaxPage {
		return fmt.Errorf("limit of %d is not 1 to %d", limit, rushgate.MaxPage)
	}
	return nil
}
