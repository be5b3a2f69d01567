// Package journeys lets random people use the ledger in random ways, and holds it to an independent model of the rules. It has tests
// only, in a package of their own because rapid knows one number of checks for each.
package journeys
