package feed_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/feed"
)

// replicas is the size of the test's cluster, and of its stream.
const replicas = 3

// cluster starts a cluster of three servers and gives them by their names, and the URLs of all.
func cluster(t *testing.T) (servers map[string]*server.Server, urls string) {
	t.Helper()
	var routes []*url.URL
	for range replicas {
		routes = append(routes, &url.URL{Scheme: "nats", Host: freeAddress(t)})
	}
	servers = map[string]*server.Server{}
	for i, route := range routes {
		port, err := strconv.Atoi(route.Port())
		require.NoError(t, err)
		node := plainServer(t, &server.Options{
			ServerName: "node-" + strconv.Itoa(i), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
			Cluster: server.ClusterOpts{Name: "cluster", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		servers[node.Name()] = node
		urls += "," + node.ClientURL()
	}
	return servers, urls[1:]
}

func TestAReplicatedStreamSurvivesItsLeader(t *testing.T) {
	servers, urls := cluster(t)
	log, conn := newLog(t), dial(t, urls)
	appendEvents(t, log, 1_000)
	r := relay(t, log, conn)
	second := relay(t, log, dial(t, urls)) // as on another node
	r.reaches(t, 1_000)
	js, err := jetstream.New(conn)
	require.NoError(t, err)

	// As an operator does with nats stream edit.
	config := stream(t, conn).CachedInfo().Config
	config.Replicas = replicas
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	var leader string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		s, err := js.Stream(t.Context(), feed.StreamName)
		if !assert.NoError(c, err) || !assert.NotNil(c, s.CachedInfo().Cluster) {
			return
		}
		leader = s.CachedInfo().Cluster.Leader
		assert.NotEmpty(c, leader)
		assert.Len(c, s.CachedInfo().Cluster.Replicas, replicas-1)
		for _, replica := range s.CachedInfo().Cluster.Replicas {
			assert.True(c, replica.Current, replica.Name)
		}
	}, eventually, often)

	const count = 10_000
	appendEvents(t, log, count-1_000)
	require.Eventually(t, func() bool {
		position, _ := r.Status()
		return position > 2_000
	}, eventually, often)
	stop(servers[leader])
	r.reaches(t, count)
	second.reaches(t, count)
	requireCopy(t, conn, log, 1)
}
