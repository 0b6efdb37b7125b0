// Whether the runtime's own loop has something to do that no descriptor tells: what its streams put off to the next tick.
//
// On Bun the loop of our own sockets asks, and gives it a turn: without one a socket with TLS hears that it may write on up
// to 50 ms late, which left 10 MiB/s of a download. On Node nobody asks: there is only one loop.

export const runtimeTurn = { isWanted: false };
