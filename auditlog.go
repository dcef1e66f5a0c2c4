package rushgate

import "context"

const (
	// MaxAuditData is the greatest length of [AuditRecord].Data in bytes.
	MaxAuditData = 4096
	// MaxAuditAppend is how many records one call of AppendAudit adds at most.
	MaxAuditAppend = 100
	// MaxAuditSeq is the greatest number after which records can be added.
	MaxAuditSeq = 1 << 53
)

// AuditRecord is one record of what operators and players have done, as bytes that the store does not read.
type AuditRecord struct {
	// Seq is its number; that of a new log is 1, and none is left out.
	Seq  uint64
	Data []byte
}

// AuditLog is a list of records to which is only added. What is in them, and that each is chained to the one before, is
// the business of those who write it.
type AuditLog interface {
	// AppendAudit adds records, 1 to [MaxAuditAppend] of 1 to [MaxAuditData] bytes, after the one that is the last: all or
	// none, in one atomic step. If the last one has another number than after, the result is false, and nothing has
	// changed; but if the records that follow after are these, it is true, so that the call can be repeated when its
	// outcome is unknown. What has been trimmed meanwhile is not recognised. An empty log takes records after any number,
	// 0 to [MaxAuditSeq], so that one whose beginning was trimmed can be moved; a new one begins after 0.
	AppendAudit(ctx context.Context, after uint64, data [][]byte) (appended bool, err error)
	// LoadAudit returns records in order, beginning with the one numbered from, or the first that is kept if that is
	// earlier: limit of them at most, 1 to [MaxPage]. There are fewer only at the log's end.
	LoadAudit(ctx context.Context, from uint64, limit int) ([]AuditRecord, error)
	// AuditSpan returns the numbers of the first record that is kept and of the last; both are 0 if the log is empty.
	AuditSpan(ctx context.Context) (first, last uint64, err error)
	// TrimAudit removes the records before the one numbered first, but never the last. It is idempotent.
	TrimAudit(ctx context.Context, first uint64) error
}
