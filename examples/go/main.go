// Command go is a service that follows the ledger and tells who may act where. It handles every event at least once, in order, and
// goes on where it stopped. Run it beside a ledger that has --nats-listen 127.0.0.1:4222:
//
//	LEDGER_KEY=$(cat ledger-data/operator.key) go run ./examples/go
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	conn, err := nats.Connect("nats://127.0.0.1:4222", nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ledger := client.New("http://127.0.0.1:8080", os.Getenv("LEDGER_KEY"))
	err = ledger.Subscribe(ctx, client.Subscription{
		Name: "go-example", Conn: conn, Positions: client.FilePositions("go-example.json"), Log: slog.Default(),
		Handlers: []client.Handler{
			client.On(func(_ context.Context, granted domain.AccessGranted, meta client.Meta) error {
				log.Printf("%d: %s may act for %s as %s", meta.Position, granted.ConsultancyID, granted.ClientID, granted.RoleID)
				return nil
			}),
			client.On(func(_ context.Context, ended domain.CollaborationEnded, meta client.Meta) error {
				log.Printf("%d: %s and %s go separate ways", meta.Position, ended.ConsultancyID, ended.ClientID)
				return nil
			}),
		},
	})
	log.Print(err)
}
