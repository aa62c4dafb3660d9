#!/usr/bin/env escript
%% echo.escript serve PORT inet|socket     echoes, each connection in another way: passive, active, active once, frames
%% echo.escript ask PORT inet|socket       its clients, all at once
%% `inet` is the driver with its own poll set, `socket` the newer one of system calls in native functions.
-mode(compile).

-define(WAYS, [passive, active, once, frames, file]).
-define(SIZE, 400000).

main([Job, Port, Backend]) ->
    Options = case Backend of "inet" -> []; "socket" -> [{inet_backend, socket}] end,
    run(Job, list_to_integer(Port), Options).

run("serve", Port, Backend) ->
    {ok, Listener} = gen_tcp:listen(Port, Backend ++ [binary, {active, false}, {ip, {127, 0, 0, 1}}, {backlog, 100},
                                                      {reuseaddr, true}, {exit_on_close, false}]),
    accept(Listener);
run("ask", Port, Backend) ->
    Self = self(),
    Blob = crypto:strong_rand_bytes(?SIZE),
    Jobs = [{Way, N} || Way <- ?WAYS, N <- lists:seq(1, 8)],
    [spawn_link(fun() -> Self ! {Way, N, ask(Way, Port, Backend, Blob)} end) || {Way, N} <- Jobs],
    Results = [receive {Way, N, Result} -> {Way, N, Result} end || {Way, N} <- Jobs],
    [io:format("~p ~p~n", [Way, Result]) || {Way, _, Result} <- Results],
    halt(case [R || {_, _, R} <- Results, R =/= ok] of [] -> 0; _ -> 1 end).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Worker = spawn(fun() -> receive go -> serve(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Worker),
    Worker ! go,
    accept(Listener).

serve(Socket) ->
    {ok, <<Way:8>>} = gen_tcp:recv(Socket, 1, 10000),
    echo(lists:nth(Way, ?WAYS), Socket).

echo(passive, Socket) ->
    case gen_tcp:recv(Socket, 0, 10000) of
        {ok, Data} -> ok = gen_tcp:send(Socket, Data), echo(passive, Socket);
        {error, closed} -> gen_tcp:close(Socket)
    end;
echo(file, Socket) ->
    echo(passive, Socket);
echo(active, Socket) ->
    inet:setopts(Socket, [{active, true}]),
    hear(Socket, []);
echo(once, Socket) ->
    hear(Socket, [{active, once}]);
echo(frames, Socket) ->
    inet:setopts(Socket, [{packet, 4}]),
    hear(Socket, [{active, once}]).

hear(Socket, Again) ->
    inet:setopts(Socket, Again),
    receive
        {tcp, Socket, Data} -> ok = gen_tcp:send(Socket, Data), hear(Socket, Again);
        {tcp_closed, Socket} -> gen_tcp:close(Socket)
    after 10000 -> gen_tcp:close(Socket)
    end.

number(Way) -> length(lists:takewhile(fun(W) -> W =/= Way end, ?WAYS)) + 1.

ask(Way, Port, Backend, Blob) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, Backend ++ [binary, {active, false}, {nodelay, true}], 10000),
    ok = gen_tcp:send(Socket, <<(number(Way)):8>>),
    Got = talk(Way, Socket, Blob),
    gen_tcp:close(Socket),
    case Got of Blob -> ok; _ -> {changed, byte_size(Got)} end.

%% Frames come back one by one.
talk(frames, Socket, Blob) ->
    inet:setopts(Socket, [{packet, 4}]),
    ok = gen_tcp:send(Socket, <<>>),
    {ok, <<>>} = gen_tcp:recv(Socket, 0, 10000),
    iolist_to_binary([begin ok = gen_tcp:send(Socket, Piece), {ok, Back} = gen_tcp:recv(Socket, 0, 10000), Back end
                      || Piece <- pieces(Blob)]);
talk(file, Socket, Blob) ->
    Name = "blob." ++ os:getpid() ++ "." ++ integer_to_list(erlang:unique_integer([positive])),
    ok = file:write_file(Name, Blob),
    Self = self(),
    spawn_link(fun() -> {ok, Back} = gen_tcp:recv(Socket, ?SIZE, 20000), Self ! {back, Back} end),
    {ok, ?SIZE} = file:sendfile(Name, Socket),
    file:delete(Name),
    receive {back, Back} -> Back end;
talk(_, Socket, Blob) ->
    spawn(fun() -> [ok = gen_tcp:send(Socket, Piece) || Piece <- pieces(Blob)], gen_tcp:shutdown(Socket, write) end),
    rest(Socket, []).

rest(Socket, Got) ->
    case gen_tcp:recv(Socket, 0, 20000) of
        {ok, Data} -> rest(Socket, [Got, Data]);
        {error, closed} -> iolist_to_binary(Got)
    end.

pieces(<<Piece:50000/binary, Rest/binary>>) -> [Piece | pieces(Rest)];
pieces(Rest) -> [Rest].
