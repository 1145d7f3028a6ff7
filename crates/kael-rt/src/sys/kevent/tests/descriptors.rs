//! Reads and writes: when they fire, how often, and what they say.

use super::{
    files::{IntoFiles, connecting, pair, pipe, socket, tcp},
    *,
};
use std::{
    fs::File,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
};

fn fill(mut stream: &UnixStream) {
    while stream.write(&[0; 4096]).is_ok() {}
}

#[test]
fn one_knote_for_each_number_and_filter() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        kq.apply(&[with_udata(on(&near, EVFILT_READ, EV_ADD | EV_CLEAR), 1)]);
        kq.apply(&[with_udata(on(&near, EVFILT_READ, EV_ADD | EV_CLEAR), 2)]);
        far.write_all(b"x").unwrap();
        let events = kq.wait();
        assert_eq!((events.len(), events[0].udata.addr()), (1, 2), "{profile:?}");
        // The write beside it is a knote of its own.
        kq.apply(&[with_udata(on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT), 3)]);
        let events = kq.poll();
        assert_eq!((events.len(), events[0].udata.addr()), (1, 3), "{profile:?}");
        assert_eq!((events[0].filter, events[0].flags & EV_EOF), (EVFILT_WRITE, 0));
        assert!(events[0].data > 1);
    }
}

#[test]
fn adding_again_does_not_make_it_clear_or_one_shot() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD)]);
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR | EV_ONESHOT)]);
        for _ in 0..3 {
            assert_eq!(kq.poll().len(), 1, "{profile:?}: level, as it was made");
        }
        kq.apply(&[on(&near, EVFILT_READ, EV_DELETE), on(&near, EVFILT_READ, EV_ADD | EV_ONESHOT)]);
        assert_eq!(kq.poll().len(), 1);
        assert_eq!(kq.poll().len(), 0, "{profile:?}: deleted and made anew");
    }
}

#[test]
fn adding_looks_at_once_also_again() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        far.write_all(b"abc").unwrap();
        let add = on(&near, EVFILT_READ, EV_ADD | EV_CLEAR);
        for round in 0..3 {
            let events = kq.call(&[add], 8, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.len(), 1, "{profile:?}, {round}");
            assert_eq!(events[0].data, 3);
            assert_eq!(kq.poll(), [], "{profile:?}, {round}");
        }
    }
}

#[test]
fn clear_fires_for_new_data_and_not_otherwise() {
    for profile in Profile::ALL {
        for (near, mut far) in [pair().into_files(), tcp().into_files(), {
            let (r, w) = pipe();
            (r, w)
        }] {
            let kq = Kq::new(profile);
            kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
            assert_eq!(kq.poll(), []);
            far.write_all(b"one").unwrap();
            assert_eq!(kq.wait()[0].data, 3);
            assert_eq!(kq.poll(), [], "nothing new");
            far.write_all(b"two").unwrap();
            assert_eq!(kq.wait()[0].data, 6, "old data lies there still");
            let mut buffer = [0; 16];
            assert_eq!((&near).read(&mut buffer).unwrap(), 6);
            assert_eq!(kq.poll(), [], "reading is no event");
        }
    }
}

#[test]
fn directions_have_edges_of_their_own() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
        far.write_all(b"x").unwrap();
        assert_eq!(kq.wait()[0].filter, EVFILT_READ);
        // Armed, fired and armed once more: the unread byte is not told again.
        for _ in 0..2 {
            kq.apply(&[on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
            let events = kq.poll();
            assert_eq!((events.len(), events[0].filter), (1, EVFILT_WRITE), "{profile:?}");
        }
        // And a reader's arrival is not told to a writer.
        kq.apply(&[on(&near, EVFILT_WRITE, EV_ADD | EV_CLEAR)]);
        assert_eq!(kq.poll()[0].filter, EVFILT_WRITE);
        far.write_all(b"y").unwrap();
        let events = kq.wait();
        assert_eq!((events.len(), events[0].filter), (1, EVFILT_READ), "{profile:?}");
    }
}

#[test]
fn a_full_socket_is_writable_when_it_has_room() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        fill(&near);
        kq.apply(&[on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
        assert_eq!(kq.poll(), []);
        far.set_nonblocking(true).unwrap();
        while far.read(&mut [0; 65536]).is_ok_and(|count| count > 0) {}
        assert_eq!(kq.wait()[0].filter, EVFILT_WRITE);
        assert_eq!(kq.poll(), [], "{profile:?}: once");
        assert_eq!(
            kq.call(&[on(&near, EVFILT_WRITE, EV_DELETE)], 0, None),
            Err(libc::ENOENT),
            "{profile:?}: it is gone"
        );
    }
}

#[test]
fn a_one_shot_that_was_queued_is_not_looked_at_again() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (mut near, mut far) = pair();
        far.write_all(b"x").unwrap();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_ONESHOT)]);
        near.read_exact(&mut [0; 1]).unwrap();
        let is_stale = profile != Profile::Darwin;
        assert_eq!(kq.poll().len(), usize::from(is_stale), "{profile:?}");
    }
}

#[test]
fn a_level_stays_until_it_is_read() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (mut near, mut far) = pair();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD)]);
        far.write_all(b"ab").unwrap();
        assert_eq!(kq.wait()[0].data, 2);
        near.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(kq.poll()[0].data, 1);
        near.read_exact(&mut [0; 1]).unwrap();
        assert_eq!(kq.poll(), []);
        far.write_all(b"c").unwrap();
        assert_eq!(kq.wait()[0].data, 1);
    }
}

#[test]
fn the_end_is_told_with_what_lies_before_it() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = tcp();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
        far.write_all(b"last").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        let mut event = kq.wait()[0];
        if event.flags & EV_EOF == 0 {
            event = kq.wait()[0];
        }
        assert_eq!((event.flags & EV_EOF, event.data, event.fflags), (EV_EOF, 4, 0));
        // The way back is open.
        let events = kq.call(&[on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT)], 8, None).unwrap();
        assert_eq!((events[0].filter, events[0].flags & EV_EOF), (EVFILT_WRITE, 0));
    }
}

#[test]
fn a_reset_is_an_end_in_both_directions() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = tcp();
        (&near).write_all(b"unread").unwrap();
        // Closed with unread data in it, so the peer is reset.
        far.read_exact(&mut [0; 1]).unwrap();
        drop(far);
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD), on(&near, EVFILT_WRITE, EV_ADD)]);
        let mut events = kq.wait();
        while events.len() < 2 || events.iter().any(|event| event.flags & EV_EOF == 0) {
            events = kq.wait();
        }
        assert!(events.iter().all(|event| event.fflags == libc::ECONNRESET as u32));
        // Telling did not take it.
        assert_eq!(near.take_error().unwrap().unwrap().raw_os_error(), Some(libc::ECONNRESET));
    }
}

#[test]
fn a_pipe_without_readers_ends_its_writes() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (read, write) = pipe();
        kq.apply(&[on(&write, EVFILT_WRITE, EV_ADD | EV_CLEAR)]);
        assert_eq!(kq.poll()[0].flags & EV_EOF, 0);
        drop(read);
        assert_eq!(kq.wait()[0].flags & EV_EOF, EV_EOF, "{profile:?}");
    }
}

#[test]
fn a_listener_says_how_many_wait() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        kq.apply(&[on(&listener, EVFILT_READ, EV_ADD)]);
        assert_eq!(kq.poll(), []);
        let address = listener.local_addr().unwrap();
        let _clients = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
        assert_eq!(kq.wait()[0].data, 2, "{profile:?}");
    }
}

#[test]
fn a_connection_that_is_made_or_refused() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = connecting(listener.local_addr().unwrap().port());
        kq.apply(&[on(&good, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
        assert_eq!(kq.wait()[0].flags & EV_EOF, 0);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bad = connecting(port);
        kq.apply(&[on(&bad, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
        let event = kq.wait()[0];
        assert_eq!((event.flags & EV_EOF, event.fflags != 0), (EV_EOF, true));
        let error = bad.take_error().unwrap().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }
}

#[test]
fn a_socket_that_was_never_connected_is_quiet() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        for flags in [EV_ADD, EV_ADD | EV_CLEAR, EV_ADD | EV_ONESHOT] {
            let fresh = socket();
            let both = [on(&fresh, EVFILT_READ, flags), on(&fresh, EVFILT_WRITE, flags)];
            assert_eq!(kq.call(&both, 8, Some(Duration::ZERO)), Ok(vec![]), "{profile:?}");
            closing(fresh.as_raw_fd());
        }
    }
}

#[test]
fn dispatch_and_enable_differ() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_DISPATCH)]);
        far.write_all(b"x").unwrap();
        assert_eq!(kq.wait().len(), 1);
        assert_eq!(kq.poll(), []);
        kq.apply(&[on(&near, EVFILT_READ, EV_ENABLE)]);
        let fires = profile != Profile::NetBsd;
        assert_eq!(kq.poll().len(), usize::from(fires), "{profile:?}: old data");
        kq.apply(&[on(&near, EVFILT_READ, EV_ENABLE)]);
        far.write_all(b"y").unwrap();
        assert_eq!(kq.wait().len(), 1, "{profile:?}: new data");
    }
}

#[test]
fn what_comes_while_disabled_is_told_when_enabled() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
        kq.apply(&[on(&near, EVFILT_READ, EV_DISABLE)]);
        far.write_all(b"x").unwrap();
        assert_eq!(kq.poll(), []);
        kq.apply(&[on(&near, EVFILT_READ, EV_ENABLE)]);
        assert_eq!(kq.poll().len(), 1, "{profile:?}");
        assert_eq!(kq.poll(), []);
    }
}

#[test]
fn what_was_queued_before_it_was_disabled_is_held_back() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD), on(&near, EVFILT_READ, EV_DISABLE)]);
        assert_eq!(kq.poll(), [], "{profile:?}");
        kq.apply(&[on(&near, EVFILT_READ, EV_ENABLE)]);
        assert_eq!(kq.poll().len(), 1, "{profile:?}");
    }
}

#[test]
fn a_regular_file_is_ready_up_to_its_end() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let mut file = File::open("/proc/self/exe").unwrap();
        let length = file.metadata().unwrap().len() as i64;
        kq.apply(&[on(&file, EVFILT_READ, EV_ADD)]);
        assert_eq!(kq.poll()[0].data, length);
        file.read_exact(&mut [0; 100]).unwrap();
        assert_eq!(kq.poll()[0].data, length - 100, "{profile:?}");
    }
}

#[test]
fn low_water_holds_back_what_is_less() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        let add = on(&near, EVFILT_READ, EV_ADD | EV_CLEAR);
        kq.apply(&[kevent { fflags: NOTE_LOWAT, data: 3, ..add }]);
        far.write_all(b"ab").unwrap();
        assert_eq!(kq.poll(), []);
        far.write_all(b"c").unwrap();
        assert_eq!(kq.wait()[0].data, 3, "{profile:?}");
    }
}
