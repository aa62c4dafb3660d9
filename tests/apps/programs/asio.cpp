// asio's reactor: sockets are registered with epoll, edge-triggered, before they connect. asio server|client PORT [BYTES COUNT].
#include <algorithm>
#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using asio::ip::tcp;

class Echo : public std::enable_shared_from_this<Echo> {
public:
    explicit Echo(tcp::socket socket) : socket_(std::move(socket)) {}

    void read()
    {
        auto self = shared_from_this();
        socket_.async_read_some(asio::buffer(data_), [this, self](std::error_code error, std::size_t n) {
            if (!error)
                write(n);
            else if (error != asio::error::eof)
                std::cerr << "read: " << error.message() << "\n";
        });
    }

private:
    void write(std::size_t n)
    {
        auto self = shared_from_this();
        asio::async_write(socket_, asio::buffer(data_, n), [this, self](std::error_code error, std::size_t) {
            if (!error)
                read();
            else
                std::cerr << "write: " << error.message() << "\n";
        });
    }

    tcp::socket socket_;
    std::array<char, 20000> data_;
};

static void accept(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
        if (!error)
            std::make_shared<Echo>(std::move(socket))->read();
        accept(acceptor);
    });
}

// Sends and receives at once, ends its own side first; in one thread at a time.
class Client {
public:
    Client(asio::io_context &context, const tcp::endpoint &endpoint, std::string data)
        : socket_(asio::make_strand(context)), data_(std::move(data))
    {
        socket_.async_connect(endpoint, [this](std::error_code error) {
            if (error)
                return say("connect", error);
            socket_.set_option(tcp::no_delay(true));
            asio::async_write(socket_, asio::buffer(data_), [this](std::error_code failed, std::size_t) {
                if (failed)
                    return say("write", failed);
                socket_.shutdown(tcp::socket::shutdown_send);
            });
            read();
        });
    }

    bool right() const { return got_ == data_; }

private:
    void read()
    {
        socket_.async_read_some(asio::buffer(part_), [this](std::error_code error, std::size_t n) {
            got_.append(part_.data(), n);
            if (error && error != asio::error::eof)
                say("read", error);
            if (!error)
                read();
        });
    }

    static void say(const char *what, std::error_code error) { std::cerr << what << ": " << error.message() << "\n"; }

    tcp::socket socket_;
    std::string data_, got_;
    std::array<char, 10000> part_;
};

static int talk(asio::io_context &context, const tcp::endpoint &endpoint, std::size_t size, int count)
{
    std::vector<std::unique_ptr<Client>> clients;
    std::mt19937 random(1);
    for (int i = 0; i < count; i++) {
        std::string data(size, '\0');
        std::generate(data.begin(), data.end(), [&random] { return static_cast<char>(random()); });
        clients.push_back(std::make_unique<Client>(context, endpoint, std::move(data)));
    }
    // Two threads in one reactor.
    std::thread other([&context] { context.run_for(std::chrono::seconds(20)); });
    context.run_for(std::chrono::seconds(20));
    other.join();
    const auto wrong = std::count_if(clients.begin(), clients.end(), [](const auto &client) { return !client->right(); });
    if (wrong)
        std::cerr << wrong << " of " << count << " echoes differ\n";
    return wrong != 0;
}

int main(int argc, char **argv)
{
    const bool serves = argc > 2 && std::string(argv[1]) == "server";
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[2])));
    asio::io_context context;
    if (!serves)
        return talk(context, endpoint, std::strtoul(argv[3], nullptr, 10), std::atoi(argv[4]));
    tcp::acceptor acceptor(context, endpoint);
    accept(acceptor);
    context.run();
    return 0;
}
