//! A listening socket: how it is bound, and how it is closed so that nobody is lost at it.
//!
//! Two processes may share a port (`reuse_port`): the kernel then gives each new connection to either of them by a
//! hash, and a connection that lies in a socket's queue when that is closed is reset, though its client believes it
//! open. So the one that leaves first turns new connections away in a way that their clients do not see: it drops
//! their SYN packets. A client's system sends its SYN again after a second, and by then only the other one listens.
//! Handshakes that have begun get a moment to end, and are accepted.
//!
//! (The kernel can also move such connections itself, `net.ipv4.tcp_migrate_req`, but that is off by default and the
//! whole machine's. Steering them by a program on the group of sockets needs to know our place in the group, which
//! nobody tells.)

use socket2::{Domain, SockRef, Socket, Type};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout, timeout_at},
};

/// Connections that the system holds for us before they are accepted.
const BACKLOG: i32 = 4096;
/// For handshakes that have begun when a shared port is left: once round the earth. Whoever comes meanwhile waits until
/// its SYN is sent again, so it is as short as can be.
const HANDSHAKES: Duration = Duration::from_millis(300);
/// A queue from which nothing comes for so long is empty.
const EMPTY: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    shared: bool,
}

impl Door {
    /// Binds and listens. A `shared` port may be bound by other processes of the same user that say the same.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // A restart must not wait for connections of the last process to time out.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { listener: TcpListener::from_std(socket.into())?, shared })
    }

    /// Where it listens: the real port when port 0 was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection.
    ///
    /// # Errors
    /// What the system says: a peer that is gone, or nothing left to hold a connection with.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }

    /// Closes it. Connections that the system has accepted for us are served, not reset.
    pub async fn close(self, mut serve: impl FnMut(TcpStream, SocketAddr)) {
        if self.shared && self.drop_newcomers() {
            let end = Instant::now() + HANDSHAKES;
            while let Ok(next) = timeout_at(end, self.accept()).await {
                match next {
                    Ok((stream, peer)) => serve(stream, peer),
                    // A peer that is gone is no reason to hurry, and a lack of descriptors none to spin.
                    Err(_) => tokio::time::sleep(EMPTY).await,
                }
            }
        }
        // The queue is no longer than this; who comes later finds the next process.
        for _ in 0..BACKLOG {
            let Ok(Ok((stream, peer))) = timeout(EMPTY, self.accept()).await else { break };
            serve(stream, peer);
        }
        // Where newcomers could not be kept away, one may have come since: the last look is right before the end.
        let Ok(listener) = self.listener.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok((stream, peer)) = listener.accept() else { break };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                serve(stream, peer);
            }
        }
    }

    /// From now on a SYN that comes to this socket is as good as lost on its way. False where that cannot be had.
    #[cfg(target_os = "linux")]
    fn drop_newcomers(&self) -> bool {
        use socket2::SockFilter;
        // A filter of a TCP socket sees a segment from its header on. Connections that are accepted from now on
        // inherit it; no SYN is anything to them.
        let program = [
            SockFilter::new(0x30, 0, 0, 13),       // load the byte with the flags
            SockFilter::new(0x54, 0, 0, 0x12),     // leave SYN and ACK
            SockFilter::new(0x15, 0, 1, 0x02),     // SYN alone?
            SockFilter::new(0x06, 0, 0, 0),        // drop
            SockFilter::new(0x06, 0, 0, u32::MAX), // keep all of it
        ];
        let attached = SockRef::from(&self.listener).attach_filter(&program);
        if let Err(error) = &attached {
            tracing::warn!(%error, "a port is left without care for who connects at this moment");
        }
        attached.is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn drop_newcomers(&self) -> bool {
        false
    }
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
