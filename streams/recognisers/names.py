"""Given names that are frequent in public birth statistics of some thirty countries, and words that no surname is.

Our own list, made from what statistics offices publish as frequent; no names package installs from the registry
with the rest. Names that are everyday words (Will, Mark, May, Rose, Art) are left out: a title or a greeting finds them.
"""

from __future__ import annotations

_GIVEN = """
Aaron Abbie Abdelaziz Abdelkader Abdul Abdullah Abdulrahman Abebe Abena Abhishek Abigail Abimbola Abiodun Achieng Adaeze Adam
Ade Adebayo Adel Adela Adelheid Aditi Aditya Adrian Adriana Adriano Adrián Adwoa Afonso Agathe Agnese Agneta Agnieszka Agus
Agustín Ahmed Ahmet Aiden Aileen Ailsa Aine Aino Aisha Ajay Akash Akiko Akinyi Akira Akram Akshay Alain Alan Alastair Alba
Albert Alberto Aldo Alejandra Alejandro Aleksandr Aleksandra Alemayehu Alessandra Alessandro Alessia Alexander Alexandr
Alexandra Alexandre Alexandros Alexei Alexey Alexis Alfred Ali Alice Alicia Alina Aline Alison Alistair Almaz Alok Alyssa Ama
Amal Aman Amanda Amara Amelia Amihan Amina Amir Amit Amita Amr Amrita Amy Amélie Ana Anand Anas Anastasia Anaïs Anders Andrea
Andreas Andrei Andrew Andrzej András André Andrés Anežka Angela Angelo Angus Anh Anika Anil Anita Anja Anjali Ankit Ankita
Anna Annalisa Anne Anneke Anneliese Annette Annika Anouk Antje Antoine Anton Antonella Antonia Antonio Antti Antônio Anuradha
Anya Aoife Aparecida Aparna Archana Arianna Arjun Arkady Arnaud Arne Arthur Arturo Arvind Asha Ashish Ashley Ashok Asma Astrid
Asuka Asunción Athanasios Atieno Attila Audrey Aurora Aurélie Ava Axel Aya Ayaka Ayesha Aylin Ayman Ayodele Ayu Ayumi Ayşe
Aziz Babatunde Balázs Bambang Baptiste Barbara Barry Bart Bartosz Bas Bayani Beata Beatrice Beatriz Begoña Bekele Belén Bence
Benedetta Benedikt Bengt Beniamino Benjamin Benoît Bernadette Bernard Bernardo Bernd Beverley Bharat Bilal Birgit Birgitta
Bjarne Björn Blanca Bogdan Bohdan Bohumil Boris Božena Bradley Bram Brandon Brenda Brian Brianna Bridget Brigitte Britt Britta
Bronwyn Bruno Bryan Bryony Budi Burak Béla Bérénice Caio Caitlin Caleb Callum Cameron Camila Camilla Camille Caoimhe Carina
Carl Carla Carlo Carlos Carlton Carmelo Carmen Carol Carolina Caroline Carsten Caterina Catherine Cecil Cecilia Cem Chad
Chandra Chantal Charles Charlotte Chen Chiamaka Chiara Chidi Chidinma Chinedu Chioma Chiyo Chloe Christa Christel Christelle
Christian Christina Christine Christoph Christophe Christopher Christos Chukwuemeka Ciaran Claire Clara Clarice Claudia
Claudio Clive Cláudia Clémence Clément Cody Colin Concepción Connor Constantin Consuelo Corazon Corey Corinna Corinne Cormac
Cornelia Cornelis Cosmin Courtney Craig Cristian Cristiane Cristiano Cristina Csaba Cynthia Cyril Cécile Céline César Cătălin
Daan Dagmar Daichi Daisuke Dalia Damien Daniel Daniela Daniele Danielle Danilo Daria Dariia Dario Darlene Darrell Darren David
Davide Debora Deborah Declan Deepak Deirdre Delphine Denis Denise Deniz Dennis Derek Derrick Desmond Detlef Devin Dewi Diana
Didier Diego Dieter Dimitra Dimitri Dimitrios Dina Diogo Dirk Divya Dmitri Doina Dolores Domenico Dominic Dominik Dominique
Donald Donatella Donna Doris Dorota Dorothy Douglas Duane Duc Dumitru Duncan Dušan Dwayne Dylan Débora Dóra Eamon Ebba
Eberhard Ebru Ece Edith Edna Edoardo Edson Eduardo Edward Edwin Eero Efua Eija Eileen Eirik Ekaterina Eko Elaine Eleanor Elena
Eleni Eleonora Elfriede Eli Eliane Elias Elif Elisa Elisabeth Elisabetta Elizabeth Elke Ella Ellen Ellinor Elsa Elsie Emanuele
Emeka Emi Emil Emilia Emilio Emily Emine Emma Emmanuel Emmanuelle Emre Enrico Enrique Eoin Eric Erich Erik Erika Erin Ernest
Ernesto Ernst Erwin Erzsébet Esi Eskil Esperanza Esteban Estelle Esther Ethan Ethel Euan Eugene Eugenia Eva Evangelia Evelyn
Ewa Ewan Fabiana Fabien Fabio Fabián Fabrice Fabrizio Fadi Faisal Fang Farah Farid Faris Fatima Fatma Federica Federico Felipe
Felix Femi Femke Ferenc Fergus Fermín Fernanda Fernando Filippo Finlay Fiona Fionnuala Fiorella Fitri Flavia Florentine
Florian Florin Flávia Flávio Folake Franca Frances Francesca Francesco Francisca Francisco Franck Franco Frank František Franz
François Françoise Frauke Frederick Fredrik Frida Friedrich Frits Frédéric Fumiko Funmilayo Fábio Fátima Gabriel Gabriela
Gabriele Gabriella Gaia Galina Gareth Gary Gaurav Gavin Gayatri Gaëlle Geert Geeta Gemma Geneviève Gennady Gennaro Geoffrey
George Georgia Georgios Gerald Geraldine Gerard Gerardo Gergely Gerhard Germán Gerrit Gertrud Getachew Gheorghe Ghislaine
Giacomo Gianluca Gianni Giannis Gijs Gilberto Gilles Gillian Ginevra Gino Giorgia Giorgio Giovanni Girish Gisela Gita Giulia
Giuliana Giuliano Giuseppe Gladys Glenda Glenn Gloria Glynis Gonzalo Gonçalo Gopal Gordon Goro Graham Gregor Gregorio Gregory
Greta Grzegorz Grégory Guadalupe Guang Gugu Guilherme Guillaume Guillermo Gunilla Gunnar Gustav Gustavo Gwen Gwendolyn Gwyneth
György Gábor Gérard Gökhan Göran Gül Günter Günther Habib Hai Haile Hakan Hala Halil Halina Hamid Hamish Hamza Hana Hanan Hanh
Hani Hannah Hanne Hannelore Hans Hao Harald Harish Harold Haroun Harriet Harry Harsha Hartmut Haruka Haruki Haruto Hasan
Hassan Hatice Heather Hector Heidi Heike Heikki Heiko Heinrich Heinz Heitor Helen Helena Helga Helle Helmut Hemant Hendra
Hendrik Henning Henri Henrik Henrique Henry Herbert Hermann Hernán Hervé Hideki Hideo Hieu Hilary Hilda Hildegard Hina Hind
Hiroko Hiromi Hiroshi Hitoshi Hoa Holger Horst Hossam Howard Hua Hubert Huda Hugo Huong Hussein Huy Hyun Håkan Hélène Hüseyin
Ian Iara Ibrahim Ichiro Ifeanyi Ifeoma Ignacio Igor Ihor Ikechukwu Ilaria Ildikó Ileana Ilkka Ilse Imad Iman Imogen Imre Indah
Indira Ines Inge Ingeborg Inger Ingo Ingrid Ingvar Inmaculada Inés Inês Ioan Ioana Ioannis Iona Ionuț Irene Irina Irmgard
Isaac Isabel Isabella Isabelle Isadora Isamu Ishaan Isidro Isla Isobel István Ivan Ivana Ivo Ivor Iván Iwona İbrahim İsmail
Jabulani Jack Jacky Jacob Jacoba Jacqueline Jacques Jadwiga Jaime Jakob Jakub Jamal James Jamie Jamila Jan Jana Jane Janelle
Janet Janice Janina Janusz Jared Jari Jaroslav Jarosław Jasmine Jason Javier Jaya Jean Jeanette Jeffrey Jenna Jennifer Jenny
Jens Jeremy Jeroen Jerome Jerry Jerzy Jerónimo Jesper Jessica Jesus Jhun Jian Jiho Jihoon Jill Jimena Jimin Jimmy Jing Jiro
Jisoo Jitka Jiří Joachim Joan Joanna Joao Joaquim Joaquin Jocelyn Jochen Jodi Joel Johan Johann Johanna Johannes John Joko
Jonas Jonathan Joost Jorge Joris Josef Josefa Josefina Joseph Josephine Josette Joshua José Joyce João Joël Juan Juanita
Judith Juha Jukka Julia Julian Juliana Julie Julien Julio Junko Justin Jyoti János Jérémy Jérôme Jéssica Józef Jörg Jørgen
Júlia Júlio Jürgen Kadek Kagiso Kai Kaisa Kaito Kalle Kamal Kamala Kamau Kamil Kamlesh Kaori Karan Karen Kari Karim Karima
Karin Karine Karl Karlheinz Karolina Karsten Karthik Katalin Katarzyna Kate Katelyn Katerina Kateryna Kateřina Katherine
Kathleen Kathryn Katie Katja Katrien Katrin Katsumi Kavita Kayla Kazuko Kazuo Keiko Keira Keith Kelly Kemal Kendra Kenji
Kenneth Kenta Kerem Kerry Kerstin Ketut Kevin Khadija Khaled Khalid Khanh Kieran Kimberly Kimiko Kinga Kiprono Kiran Kirsten
Kirsty Kishore Kiyoshi Kjell Klaus Knut Koen Kofi Koichi Kojo Konstantin Konstantinos Kostas Krishna Kristen Kristin Kristina
Krystal Krzysztof Ksenia Kumar Kurt Květa Kwabena Kwame Kwasi Kyle Kåre Lachlan Ladislav Laetitia Lakshmi Lalita Lamar Larisa
Lars Larysa Lasse Latoya Laura Lauren Laurent Laurențiu Lauri Layla Lea Leandro Leanne Lei Leif Lena Lene Lenka Lennart Leo
Leon Leonardo Leonie Leonor Lerato Leroy Lesley Leslie Leticia Letícia Lewis Leyla Liam Libor Lidia Lieke Ligaya Liisa Lillian
Lina Linda Lindiwe Ling Linh Lisa Liselotte Liv Liviu Loan Logan Lorena Lorenzo Loretta Lorna Lorraine Lothar Lotte Louis
Louise Lourdes Loïc Luana Luca Lucas Lucia Lucian Luciana Luciano Lucie Lucy Lucía Ludmila Ludovic Ludovica Ludwig Luděk Luigi
Luis Luisa Luiz Lukas Luke Luna Luther Luz Luzviminda Luísa Lynda Lynne László Léa Maarten Mabel Macarena Machteld Maciej
Mackenzie Madeleine Madhav Madhuri Maeve Magdalena Magnus Maha Mahesh Mahmoud Maik Maisie Maja Majid Makoto Maksym Malak
Malcolm Malin Mamoru Mandla Manfred Manish Manisha Manoj Manon Manuel Manuela Marc Marcel Marcela Marcello Marcelo Marcin
Marco Marcos Marcus Mareike Marek Margaret Margarete Margarida Margarita Margot Marguerite Maria Mariam Mariana Mariangela
Mariano Marie Marieke Marijke Mariko Marilyn Marina Mario Marion Marit Marites Marius Mariusz Marjorie Markus Markéta Marlene
Marloes Marsha Marta Martha Martin Martina Martín Marvin Mary Maryam María Masaki Masako Masao Mason Massimo Mateo Mateus
Mateusz Matheus Mathieu Mathilde Matteo Matthew Matthias Matti Mattia Maureen Maurice Maurizio Maurício Mavis Maxim Maxime
Maximilian Maxine Mayumi Małgorzata Mbali Meena Meera Megan Megumi Mehmet Mei Meike Melanie Melinda Melis Melissa Melvin
Mercedes Mervyn Meryem Meseret Mette Mhairi Mia Michael Michalina Michał Michel Michela Michele Michelle Michiko Miguel
Mihaela Mihai Miho Mihály Mika Mikael Mikhail Mikkel Miklós Milada Milagros Milan Mildred Miloš Ming Minh Minjun Minna Minoru
Minseo Mircea Mireille Miriam Mirko Miroslav Misaki Miyuki Modupe Mohamed Mohammed Mohan Mohit Moira Molly Mona Monica Monika
Monique Montserrat Morag Morgan Morgane Morten Mounir Mourad Mpho Muhammad Mukesh Mulugeta Murat Muriel Mustafa Mwangi Mykola
Myra Myrtle Márcia Márcio Márta Mélanie Mónica Mădălina Nabil Nadezhda Nadia Nadine Nadir Nadège Naima Naledi Nana Nancy
Nandini Naoki Naoko Naomi Narendra Naresh Nasser Natalia Natalie Nataliia Natalya Natasha Nathalie Nathan Nathaniel Natsuki
Naveen Nawal Neeraj Neha Neil Neve Nga Ngoc Ngozi Nguyet Nhung Niall Nicholas Nicola Nicolae Nicolas Nicole Nicolás Niek Niels
Nienke Nigel Nikhil Nikolai Nikolaos Nils Nina Nisha Nitin Nizar Njeri Njoroge Nkechi Nkosana Noah Noboru Nobuko Noelia
Nomvula Nonhlanhla Noor Nora Norbert Norma Norman Nosipho Nour Nuno Nuria Nyoman Obinna Ochieng Octavian Odhiambo Odile Oksana
Olaf Ole Oleg Oleksandr Olena Olga Oliver Olivia Olivier Olumide Oluwaseun Omar Ondřej Onur Oonagh Ornella Oscar Osman Otieno
Ottilie Otto Otávio Ove Ovidiu Pablo Padma Padraig Paige Palesa Pallavi Pamela Panagiotis Pankaj Paola Paolo Parvati Pascal
Patrice Patricia Patricio Patrick Patrizia Patrícia Paul Paula Pauline Paulo Pavel Pavla Paweł Pedro Peggy Pekka Penelope
Pernille Perry Peter Petra Petru Philip Philippe Philippine Phillip Phoebe Phuong Phyllis Pierre Pieter Pietro Pilar Pim Piotr
Polina Pooja Prabhakar Pradeep Prakash Pranav Prasad Prashant Praveen Preeti Priscilla Priya Przemysław Putri Putu Päivi Péter
Pınar Qiang Qing Quan Quang Quentin Quoc Rachel Rachid Radek Radha Radka Radu Rafael Rafaela Rafał Raffaele Raffaella Raghav
Raghu Ragnar Rahul Raimundo Raj Rajendra Rajesh Rajiv Rakesh Ralf Ralph Ramazan Ramesh Rami Ramiro Ramon Rana Randall Randy
Rani Rania Raphaël Raquel Rashid Rasmus Ratna Ravi Raymond Raúl Rebecca Recep Reem Regina Reginald Reiner Reinhard Reinhold
Rekha Remedios Renan Renata Renate Renato Renu René Reynaldo Rhiannon Rhonda Rhys Ricardo Riccardo Richard Riitta Rik Riko
Rima Rina Rini Rita Ritu Robert Roberta Roberto Rocco Rochelle Rocío Roderick Rodica Rodney Rodolfo Rodrigo Roel Roger Rogério
Rohan Rohit Roisin Roland Romain Roman Ronald Ronan Ronnie Rory Rosa Rosalind Rosanna Rosemary Roshan Rossella Roswitha Rowan
Rowena Roxanne Roy Ruben Rubén Rudolf Rui Rupa Rupert Ruslan Russell Ruth Ruud Ryan Ryo Ryota Ryszard Régis Réka Rémi Rüdiger
Răzvan Saad Sabine Sabrina Sachiko Sachin Saki Sakura Salah Saleh Salim Sally Salma Salvatore Samantha Sami Samia Samir Samira
Samuel Samuele Sandeep Sander Sandra Sandrine Sandro Sanele Sangeeta Sanjay Sanjeev Sanna Santiago Santosh Saoirse Sara Sarah
Sarita Saskia Satish Satoshi Scott Seamus Sean Sebastian Sebastião Seema Segun Selam Selim Selin Seojun Seoyeon Seppo Serena
Serge Sergei Sergey Sergio Serhii Sevgi Shane Shanice Shankar Shannon Shanti Sharon Shauna Sheena Sheila Sheldon Shelley
Sherif Sherry Shigeru Shilpa Shinji Shirley Shiro Shivani Shizuka Shreya Shu Shweta Sibusiso Siddharth Siegfried Signe Sigrid
Sigurd Silke Silvana Silvia Silvio Simon Simona Simone Simphiwe Sinan Sinead Siobhan Sipho Siti Siv Sjoerd Slamet Smita Sneha
Sofia Sofie Sofía Solange Soledad Solveig Sonja Soojin Sophia Sophie Sorin Sota Souad Spencer Spyros Sri Stacy Stanislav
Stanisław Stanley Stavros Stefan Stefania Stefano Steffen Steffi Steinar Stella Stephanie Stephen Steven Stewart Stine Stuart
Stéphane Stéphanie Subhash Sudha Sudhir Sujata Suman Sumit Sunghoon Sunita Surendra Suresh Susan Susana Susann Susanne Sushil
Sutrisno Suzanne Sven Svend Svenja Svetlana Swati Sylvain Sylvia Sylvie Sylwia Szymon Sándor Sébastien Sévérine Sônia Søren
Tabitha Tadashi Tadeusz Takashi Takumi Tamara Tamika Tamás Tanja Tanvi Tao Tapio Tara Taras Tarek Tariq Tarja Taro Tatiana
Tatyana Temitope Tendai Teodoro Terence Teresa Teresinha Tereza Terje Terrence Tesfaye Tessa Tetsuya Thabo Thais Thandeka
Thandiwe Thanh Thao Thelma Themba Theodore Theodoros Theresa Thi Thiago Thibault Thierry Thijs Thomas Thorsten Thulani Thuy
Théo Tiago Tibor Tiffany Tigist Timo Timothy Timur Tineke Ting Tiziana Tobias Tolga Tomasz Tommaso Tomoko Tomás Tomáš Tonya
Torbjörn Torsten Toshiko Tracy Traian Trang Travis Trevor Trisha Tristan Trond Trung Tsubasa Tuan Tunde Tuomas Tuyet Tuğba
Tyler Tyrone Tyson Tânia Uche Ufuk Ulf Ulla Ulrich Ulrike Uma Umberto Umesh Una Unathi Ursula Urszula Usha Ute Uwe Vadim
Valentin Valentina Valentine Valeria Valerie Valerio Valery Valérie Vandana Vanessa Varun Vasant Vasco Vasile Vasiliki Vasily
Vasyl Veikko Venkat Vera Vernon Veronica Veronika Vicente Vicki Victor Victoria Victoriano Vidya Viggo Vijay Vikas Vikram
Viktor Ville Vinay Vincent Vincenzo Vinh Vinod Vinícius Viorel Virginia Virginie Vishal Vitaly Vito Vitor Vittorio Vitória
Vivek Vivian Viviane Vladimir Vladimíra Vlasta Vojtěch Volkan Volker Volodymyr Václav Vânia Véronique Věra Wael Wagner Walid
Wallace Walter Waltraud Wambui Wanda Wanjiku Wayan Wayne Wei Wendy Werner Wesley Whitney Wiesław Wilfred Wilfried Wilhelm
Willem William Willie Wilma Winfried Winifred Wojciech Wolfgang Wouter Wulan Xavier Xia Xiang Xiao Ximena Xin Xiu Yan Yana
Yang Yann Yannick Yanti Yaroslav Yasemin Yash Yasmin Yasmine Yasser Yassin Yasuko Yaw Yejin Yevhen Yewande Ying Yiğit Yogesh
Yohannes Yoko Yolanda Yong Yoshi Yoshiko Youngho Youssef Yui Yuki Yulia Yumi Yun Yuna Yuri Yusra Yusuf Yusuke Yuto Yves Yvette
Yvonne Yıldız Zachary Zahra Zainab Zanele Zbigniew Zdeněk Zdzisław Zehra Zeynep Zhen Ziad Zineb Zodwa Zoe Zoey Zofia Zola
Zoltán Zsuzsanna Zsófia Zuzana Ágnes Álvaro Ángel Ángela Åke Åsa Élise Élodie Étienne Íñigo Óscar Ömer Özge Özlem Øyvind Ümit
Łukasz Şule Šárka Ștefan
"""

_NO_SURNAMES = """
Dear Dr Frau Hallo Hello Herr Hey Hi Miss Mr Mrs Ms Prof
About After Airport Algorithm All Also And Anybody Anyone April August Avenue Bank Before Board Bridge Building But Buyer By
Center Centre Church City Client Club Colleague Colleagues College Committee Community Company Copyright Corp Corporation
Council County Court Customer Customers December Default Department Developer Developers Drive Editor Effect Everybody
Everyone Example February Folks For Foundation Friday Friend Friends From Go Group Guest Guests Guide Guys Has He Her Hiring
His Holder Hospital Hotel How Human If In Inbox Inc Institute Is It Item January July June Ladies Lake Lane Law License Ltd
Madam Manager March May Member Members Method Monday Museum Name Neighbour None Not November Null Number October Office On Or
Order Owner Page Park Parkway Partner Partners Passenger Patient Please Prize Product Project Reader Readers Recruiter Report
Resident Road Saturday School Seller September Service Services She Sir Sirs Software Square Staff Station Street Student
Students Subscriber Sunday Support System Table Team Tenant Test The Theorem There This Thursday Today Tomorrow Traveller
Tuesday University Unknown User Users Version Was We Wednesday What When Where Which Who Why With World Yesterday You Your
"""

GIVEN_NAMES = frozenset(_GIVEN.split())
NO_SURNAMES = frozenset(_NO_SURNAMES.split())
