//! A conversation with gdb, from its first packet to its last.

use std::marker::PhantomData;

use gdbstub::common::Signal;
use gdbstub::conn::{Connection, ConnectionExt};
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub};
use gdbstub::target::Target;
use pagefault_machine::{Recording, SnapshotError};
use thiserror::Error;

use crate::debuggee::{Debuggee, Reason};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// gdb let go of the program, which has not ended.
    Detached,
    /// gdb ended the program.
    Killed,
    /// The program ended.
    Exited,
}

/// Why a session broke off.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServeError {
    /// The connection failed, or ended without a word.
    #[error("the connection to gdb broke: {0}")]
    Connection(ConnectionFailure),
    /// The program's past could not be kept, or brought back.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What came is not gdb's protocol.
    #[error("not understood from gdb: {0}")]
    Protocol(ProtocolFailure),
}

/// What the connection says of its failure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConnectionFailure(String);

/// What the protocol's reader says of its failure.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ProtocolFailure(String);

/// Lets gdb debug a recorded program on a connection that is open, until one of them ends. The
/// program executes at most `budget` instructions in all.
///
/// # Errors
///
/// [`ServeError`]; the recording is where gdb left it.
pub fn serve<C>(recording: &mut Recording, connection: C, budget: u64) -> Result<End, ServeError>
where
    C: ConnectionExt,
    C::Error: std::fmt::Display + std::fmt::Debug,
{
    let mut debuggee = Debuggee::new(recording, budget);
    // A packet that does not end must not take all memory.
    let mut packet = vec![0; MAX_PACKET_BYTES];
    let stub = GdbStub::builder(connection)
        .with_packet_buffer(&mut packet)
        .build()
        .map_err(|error| ServeError::Protocol(ProtocolFailure(error.to_string())))?;
    match stub.run_blocking::<Loop<'_, C>>(&mut debuggee) {
        Ok(DisconnectReason::Disconnect) => Ok(End::Detached),
        Ok(DisconnectReason::Kill) => Ok(End::Killed),
        Ok(DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_)) => {
            Ok(End::Exited)
        }
        Err(error) if error.is_connection_error() => {
            let failure = error.to_string();
            Err(ServeError::Connection(ConnectionFailure(failure)))
        }
        Err(error) => {
            let text = error.to_string();
            match error.into_target_error() {
                Some(error) => Err(ServeError::Snapshot(error)),
                None => Err(ServeError::Protocol(ProtocolFailure(text))),
            }
        }
    }
}

/// The longest packet, in bytes: gdb keeps to it.
const MAX_PACKET_BYTES: usize = 16 << 10;

/// How the program runs while gdb waits.
enum Loop<'a, C> {
    /// Never made: the type alone is meant.
    #[expect(dead_code, reason = "the parameters are what the type is for")]
    Never(PhantomData<(&'a (), C)>, std::convert::Infallible),
}

impl<'a, C> BlockingEventLoop for Loop<'a, C>
where
    C: ConnectionExt,
    C::Error: std::fmt::Display + std::fmt::Debug,
{
    type Target = Debuggee<'a>;
    type Connection = C;
    type StopReason = Reason;

    fn wait_for_stop_reason(
        target: &mut Self::Target,
        conn: &mut Self::Connection,
    ) -> Result<
        Event<Self::StopReason>,
        WaitForStopReasonError<<Self::Target as Target>::Error, <C as Connection>::Error>,
    > {
        loop {
            let waiting = conn.peek().map_err(WaitForStopReasonError::Connection)?;
            if waiting.is_some() {
                let byte = conn.read().map_err(WaitForStopReasonError::Connection)?;
                return Ok(Event::IncomingData(byte));
            }
            let stop = target.go_on().map_err(WaitForStopReasonError::Target)?;
            if let Some(reason) = stop {
                return Ok(Event::TargetStopped(reason));
            }
        }
    }

    fn on_interrupt(target: &mut Self::Target) -> Result<Option<Self::StopReason>, SnapshotError> {
        Ok(Some(target.signal(Signal::SIGINT)))
    }
}
