package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// A service that follows the ledger: it handles every access grant at least once, in order, and goes on where it stopped.
func ExampleClient_Subscribe() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ledger, err := startLedger(dir) // in this process; elsewhere client.New(url, key) and nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = ledger.close() }()

	firm, shop := uuid.MustParse("0192f3c4-0000-7000-8000-000000000001"), uuid.MustParse("0192f3c4-0000-7000-8000-000000000002")
	pair := domain.Pair{ConsultancyID: firm, ClientID: shop}
	if err := ledger.write(context.Background(),
		domain.AccessGranted{Pair: pair, RoleID: domain.RoleFinance}, domain.AccessRevoked{Pair: pair}); err != nil {
		log.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	err = ledger.Subscribe(ctx, client.Subscription{
		Name:      "access-desk",
		Conn:      ledger.conn,
		Positions: client.FilePositions(filepath.Join(dir, "access-desk.json")),
		Handlers: []client.Handler{
			client.On(func(_ context.Context, granted domain.AccessGranted, meta client.Meta) error {
				fmt.Printf("%d: %s may act for %s as %s\n", meta.Position, granted.ConsultancyID, granted.ClientID, granted.RoleID)
				return nil
			}),
			client.On(func(_ context.Context, revoked domain.AccessRevoked, meta client.Meta) error {
				fmt.Printf("%d: %s may no longer\n", meta.Position, revoked.ConsultancyID)
				stop() // an example has to end; a service runs until it is told to stop
				return nil
			}),
		},
	})
	fmt.Println(err)
	// Output:
	// 1: 0192f3c4-0000-7000-8000-000000000001 may act for 0192f3c4-0000-7000-8000-000000000002 as finance
	// 2: 0192f3c4-0000-7000-8000-000000000001 may no longer
	// context canceled
}

// A command is accepted, or refused with a code that programs compare and the state that explains it.
func ExampleClient_Do() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ledger, err := startLedger(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = ledger.close() }()

	answer, err := ledger.Do(context.Background(), "RegisterAccount", commands.RegisterAccount{
		Type: domain.Business, Plan: domain.PlanStandard,
		AccountDetails: domain.AccountDetails{
			LegalName: "La Espiga S.L.", TradeName: "La Espiga", TaxID: "B87654321", Country: "ES", Email: "hola@espiga.example", Phone: "+34 913 456 789",
		},
		Owner: commands.NewPerson{Name: "Lucía Fernández", Email: "lucia@espiga.example"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Events[0].Type, "at", answer.Position)
	var created struct{ AccountID, OwnerUserID uuid.UUID }
	if err := json.Unmarshal(answer.Result, &created); err != nil {
		log.Fatal(err)
	}

	lucia := ledger.As(created.AccountID, created.OwnerUserID)
	_, err = lucia.Do(context.Background(), "ApplyForPartnership", commands.ApplyForPartnership{ConsultancyID: created.AccountID})
	if refusal, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(refusal.Code, refusal.State)
	}
	// Output:
	// account.AccountRegistered.v1 at 1
	// not_a_consultancy business
}

// A service that the ledger calls: it takes the events of one account, verified and typed, on an HTTP server of its own.
func ExampleWebhookReceiver() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ledger, err := startLedger(dir) // in this process; elsewhere client.New(url, key)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = ledger.close() }()
	shop, err := register(ledger, "La Espiga")
	if err != nil {
		log.Fatal(err)
	}

	server := httptest.NewUnstartedServer(nil) // elsewhere one on https, whose URL has been registered before
	defer server.Close()
	answer, err := ledger.Do(context.Background(), "RegisterWebhook", commands.RegisterWebhook{
		AccountID: &shop, WebhookFields: commands.WebhookFields{URL: "http://" + server.Listener.Addr().String()},
	})
	if err != nil {
		log.Fatal(err)
	}
	var registered commands.WebhookResult
	if err := json.Unmarshal(answer.Result, &registered); err != nil {
		log.Fatal(err)
	}

	titles := make(chan string, 1)
	server.Config.Handler, err = client.NewWebhookReceiver(registered.Secret,
		client.On(func(_ context.Context, raised domain.TaskRaised, meta client.Meta) error {
			titles <- fmt.Sprintf("%d: %s", meta.Position, raised.Title)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	server.Start()

	if _, err := ledger.Do(context.Background(), "RaiseTask", commands.RaiseTask{
		ClientID: shop, Section: domain.Sales, Title: "Match 4 payments", ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711",
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-titles)
	// Output:
	// 3: Match 4 payments
}
