package eventstore

import (
	"sync"
	"sync/atomic"
)

// Limits of the log's end that a process holds in memory, so that many followers there cost one read of the database, or none
// when it is this process that appends.
const (
	maxRecentEvents = 8_192
	maxRecentBytes  = 8 << 20
)

// progress is the log's end as far as this process knows, and wakes those who wait for more.
type progress struct {
	waiting atomic.Int64  // how many wait for a change
	reading chan struct{} // holds one: whoever reads the next page for all followers at the end

	mu      sync.Mutex
	head    Head
	changed chan struct{} // closed, and replaced, when head changes
	recent  []Record      // some of the last ones up to head or before it, without gaps
	bytes   int           // of recent
}

func newProgress(head Head) *progress {
	return &progress{head: head, changed: make(chan struct{}), reading: make(chan struct{}, 1)}
}

// get gives the head, and a channel that is closed when it is no longer that.
func (p *progress) get() (Head, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head, p.changed
}

func (p *progress) position() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head.Position
}

// committed takes what this process has written, up to head.
func (p *progress) committed(head Head, records []Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(head)
	p.hold(records)
}

// read takes a head that was read. One that was overtaken meanwhile changes nothing.
func (p *progress) read(head Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(head)
}

// observed takes a head that was read after the log was known to have reached a position. If it is not there, the log was
// restored under us, and those who wait must find out.
func (p *progress) observed(before int64, head Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.advance(head); head.Position < before {
		p.set(head)
	}
}

// page takes records that were read from the database.
func (p *progress) page(records []Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold(records)
}

// after gives what is held of the log after a position, a page at most; nothing if the log goes on with what is not held.
func (p *progress) after(position int64) []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recent) == 0 || position < p.recent[0].Position-1 || position >= p.recent[len(p.recent)-1].Position {
		return nil
	}
	from := position - p.recent[0].Position + 1
	to := min(from+MaxPageEvents, int64(len(p.recent)))
	return p.recent[from:to:to]
}

// isRecent tells whether a position is where what is held ends, so that others will ask for what follows it too.
func (p *progress) isRecent(position int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.recent) == 0 || position >= p.recent[0].Position-1
}

func (p *progress) advance(head Head) {
	if head.Position > p.head.Position || head.Epoch != p.head.Epoch {
		p.set(head)
	}
}

func (p *progress) set(head Head) {
	if head.Epoch != p.head.Epoch || head.Position < p.head.Position {
		p.recent, p.bytes = nil, 0
	}
	p.head = head
	close(p.changed)
	p.changed = make(chan struct{})
}

// hold keeps records that go on where those held end, or are further on; others are not news. Nor are those past the head: what
// was read from the database may be ahead of what is known here.
func (p *progress) hold(records []Record) {
	for len(records) > 0 && records[len(records)-1].Position > p.head.Position {
		records = records[:len(records)-1]
	}
	if len(records) == 0 {
		return
	}
	if held := len(p.recent); held > 0 {
		end := p.recent[held-1].Position
		switch {
		case records[len(records)-1].Position <= end:
			return
		case records[0].Position <= end:
			records = records[end-records[0].Position+1:]
		case records[0].Position > end+1:
			p.recent, p.bytes = nil, 0
		}
	}
	p.recent = append(p.recent, records...)
	for _, record := range records {
		p.bytes += len(record.Bytes)
	}
	p.forget()
}

// forget lets all but the newest quarter go when there are too many. What was given out stays as it is, so the rest moves to a place
// of its own, with room for as many as are held before the next time.
func (p *progress) forget() {
	for len(p.recent) > maxRecentEvents || (p.bytes > maxRecentBytes && len(p.recent) > 1) {
		kept := p.recent[3*len(p.recent)/4:]
		p.recent, p.bytes = append(make([]Record, 0, maxRecentEvents+MaxBatchEvents), kept...), 0
		for _, record := range kept {
			p.bytes += len(record.Bytes)
		}
	}
}
