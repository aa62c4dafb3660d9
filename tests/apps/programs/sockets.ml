(* OCaml's Unix: a forked process a connection, lines through channels: ocaml sockets.ml server|client PORT. *)
#load "unix.cma";;
open Unix

let address = ADDR_INET (inet_addr_loopback, int_of_string Sys.argv.(2))

let rec talk ic oc =
  match input_line ic with
  | line -> output_string oc (String.uppercase_ascii line ^ "\n"); flush oc; talk ic oc
  | exception End_of_file -> ()

let wrong what = prerr_endline what; exit 1

let client () =
  for turn = 1 to 5 do
    let ic, oc = open_connection address in
    for n = 1 to 100 do
      let line = Printf.sprintf "line %d %d %s" turn n (String.make (n * 50) 'x') in
      output_string oc (line ^ "\n"); flush oc;
      if input_line ic <> String.uppercase_ascii line then wrong "a line differs"
    done;
    shutdown_connection ic;
    (match input_line ic with _ -> wrong "a line after the end" | exception End_of_file -> ());
    close_in ic
  done

let () = if Sys.argv.(1) = "server" then establish_server talk address else client ()
