//! Datagrams: each comes once, in order, unless the network lost it.

use super::{
    ask::{Ask, once, unless},
    law,
};
use kael_rt::{
    net::UdpSocket,
    time::{Duration, sleep},
};
use std::io;

pub(crate) async fn run(ask: Ask) {
    let (receiver, sender) = (bind().await, bind().await);
    let to = receiver.local_addr().expect("it is bound");
    let loses = kael_rt::sim_control::faults().lost_datagrams > 0;
    let count = 1 + ask.below(20) as u32;
    let from = sender.local_addr().expect("it is bound");
    let sending = ask.fork();
    let task = kael_rt::spawn(async move {
        let connected = sending.one_in(2);
        if connected {
            sender.connect(to).await.expect("it only notes the address");
        }
        for number in 0..count {
            let mut bytes = number.to_le_bytes().to_vec();
            bytes.resize(4 + number as usize, 9);
            let (result, bytes) = match connected {
                true => sender.send(bytes).await,
                false => sender.send_to(bytes, to).await,
            };
            law(result.as_ref().ok() == Some(&bytes.len()), || format!("send: {result:?}"));
            sending.pause().await;
        }
    });
    let (mut next, mut late) = (0, 0);
    while next < count {
        let received = match ask.below(4) {
            0 => once(receiver.recv_from(Vec::with_capacity(64))).await,
            1 => unless(receiver.recv_from(Vec::with_capacity(64)), ask.moment()).await,
            _ => Some(
                receiver
                    .recv_from(Vec::with_capacity(64))
                    .timeout(Duration::from_millis(100))
                    .await,
            ),
        };
        match received {
            None => ask.pause().await,
            Some((Ok((n, peer)), buf)) => {
                let number = u32::from_le_bytes([buf[0], buf[1], buf[2], buf[3]]);
                let right = n == buf.len() && n == 4 + number as usize && peer == from;
                law(right && (number == next || loses && number > next), || {
                    format!("L3: datagram {number} of {n} bytes from {peer} instead of {next}")
                });
                next = number + 1;
            }
            Some((Err(error), _)) => {
                law(error.kind() == io::ErrorKind::TimedOut, || format!("recv_from: {error}"));
                // A receive that is interrupted again and again may run out of time in a back-off.
                late += u32::from(task.is_finished());
                if late == 10 {
                    law(loses, || format!("L3: datagrams from {next} on are lost"));
                    break;
                }
            }
        }
    }
    let sent = task.await;
    law(sent.is_ok(), || "the sender ended early".to_owned());
}

async fn bind() -> UdpSocket {
    loop {
        match UdpSocket::bind("127.0.0.1:0").await {
            Ok(socket) => return socket,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}
