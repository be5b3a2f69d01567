package postgres_test

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a node and its server, and cuts the connection that writes at the worst moments.
type proxy struct {
	server   string
	listener net.Listener
	open     sync.WaitGroup

	mu   sync.Mutex
	cut  cut // what happens to the next commit; cutNothing once it has happened
	cuts int // that have happened
}

// cut is where a connection breaks.
type cut int

const (
	cutNothing cut = iota
	cutRequest     // the server gets half of the batch
	cutAnswer      // the server has committed, and the node does not hear of it
)

// newProxy stands in front of the server of a DSN and gives the DSN to use instead.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	parsed, err := url.Parse(dsn)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{server: parsed.Host, listener: listener}
	p.open.Go(p.accept)
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.open.Wait()
	})
	parsed.Host = listener.Addr().String()
	return p, parsed.String()
}

// arm says what happens to the next commit.
func (p *proxy) arm(c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
}

// take tells whether this cut is to happen now, and counts it.
func (p *proxy) take(c cut) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut != c {
		return false
	}
	p.cut = cutNothing
	p.cuts++
	return true
}

func (p *proxy) happened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *proxy) accept() {
	for {
		node, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			node.Close()
			continue
		}
		committing := make(chan struct{}, 1)
		p.open.Go(func() { p.forward(server, node, p.request(committing)) })
		p.open.Go(func() { p.forward(node, server, p.answer(committing)) })
	}
}

// forward copies until one side ends or look says that it is enough. look may shorten what is passed on.
func (p *proxy) forward(to, from net.Conn, look func([]byte) (pass []byte, goOn bool)) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		pass, goOn := look(buffer[:n])
		if _, writeErr := to.Write(pass); err != nil || writeErr != nil || !goOn {
			return
		}
	}
}

// request looks at what the node sends, for the beginning of a commit.
func (p *proxy) request(committing chan<- struct{}) func([]byte) ([]byte, bool) {
	return func(sent []byte) ([]byte, bool) {
		if !bytes.Contains(sent, []byte("EXECUTE move_head")) {
			return sent, true
		}
		if p.take(cutRequest) {
			return sent[:len(sent)/2], false
		}
		if p.take(cutAnswer) {
			committing <- struct{}{}
		}
		return sent, true
	}
}

// answer looks at what the server says, and keeps it back from the beginning of a commit that is to be cut off; the connection
// ends when the server is ready for more, which it is once it has committed.
func (p *proxy) answer(committing <-chan struct{}) func([]byte) ([]byte, bool) {
	var kept []byte
	cutting := false
	return func(said []byte) ([]byte, bool) {
		select {
		case <-committing:
			cutting = true
		default:
		}
		if !cutting {
			return said, true
		}
		kept = append(kept, said...)
		return nil, !bytes.HasSuffix(kept, []byte{'Z', 0, 0, 0, 5, 'I'})
	}
}
